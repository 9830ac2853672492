//! Goes through a JSON file to the elements of its outermost list of interest.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use struson::reader::{JsonReader as _, JsonStreamReader, ReaderError, ReaderSettings, ValueType};

use super::node::{Fault, Node};
use crate::file::Input;
use crate::header::quoted;
use crate::limits::CELL_BYTES_MAX;
use crate::{IntakeError, Place};

/// Deepest nesting.
const DEPTH_MAX: u32 = 64;
/// Largest element of the outermost list, bytes.
pub(super) const ELEMENT_BYTES_MAX: u64 = 32 << 20;
/// What the parser reads ahead, bytes.
const AHEAD: u64 = 16 << 10;

/// A step on the way to the records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// Into a field.
    Field(String),
    /// Through all elements.
    Each,
}

/// The way that a description writes.
pub(super) fn steps(way: &str) -> Result<Vec<Step>, IntakeError> {
    if way.is_empty() {
        return Ok(Vec::new());
    }
    let step = |part: &str| match part {
        "" => Err(IntakeError::origin(
            format!("`records = \"{way}\"` có một bước trống"),
            format!("`records = \"{way}\"` has an empty step"),
        )),
        "*" => Ok(Step::Each),
        name => Ok(Step::Field(name.to_owned())),
    };
    way.split('.').map(step).collect()
}

/// Bytes that may still be read: what keeps one value from filling the memory.
struct Metered<R> {
    input: R,
    left: Arc<AtomicU64>,
}

impl<R: Read> Read for Metered<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let left = self.left.load(Ordering::Relaxed);
        if left == 0 {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "value too large"));
        }
        let n = self.input.read(buf)?;
        self.left.store(left.saturating_sub(n as u64), Ordering::Relaxed);
        Ok(n)
    }
}

/// A file on its way.
pub(super) struct Document {
    json: JsonStreamReader<Metered<Box<dyn Read>>>,
    left: Arc<AtomicU64>,
    /// Fields to go into, up to the outermost list.
    head: Vec<String>,
    /// Whether the value there must be a list.
    each: bool,
    /// Steps within an element.
    pub tail: Vec<Step>,
    in_list: bool,
    any: bool,
    done: u64,
}

impl Document {
    /// From the beginning.
    pub fn new(input: &Input, way: &[Step]) -> Result<Self, IntakeError> {
        let mut file = input.rewound()?;
        let mut start = Vec::new();
        (&mut file).take(3).read_to_end(&mut start).map_err(|e| input.broken(&e))?;
        if start.starts_with(b"\xEF\xBB\xBF") {
            start.clear();
        }
        let whole: Box<dyn Read> = Box::new(io::Cursor::new(start).chain(io::BufReader::new(file)));
        let left = Arc::new(AtomicU64::new(u64::MAX));
        let settings = ReaderSettings {
            allow_multiple_top_level: true,
            track_path: false,
            max_nesting_depth: Some(DEPTH_MAX),
            ..ReaderSettings::default()
        };
        let json = JsonStreamReader::new_custom(Metered { input: whole, left: Arc::clone(&left) }, settings);
        let first = way.iter().position(|step| *step == Step::Each);
        let (head, tail) = way.split_at(first.unwrap_or(way.len()));
        let head = head
            .iter()
            .filter_map(|step| if let Step::Field(name) = step { Some(name.clone()) } else { None });
        let tail = tail.get(1..).unwrap_or_default().to_vec();
        Ok(Self {
            json,
            left,
            head: head.collect(),
            each: first.is_some(),
            tail,
            in_list: false,
            any: false,
            done: 0,
        })
    }

    /// The next element: of the outermost list, or a value that stands where it would be.
    pub fn next(&mut self) -> Result<Option<Arc<Node>>, IntakeError> {
        loop {
            if self.in_list {
                self.allow(u64::MAX);
                if self.told(|json| Ok(json.has_next()?))? {
                    return self.value().map(Some);
                }
                self.told(|json| Ok(json.end_array()?))?;
                self.in_list = false;
                self.leave()?;
            } else if self.any && !self.told(|json| Ok(json.has_next()?))? {
                return Ok(None);
            } else {
                self.any = true;
                self.enter()?;
                match self.told(|json| Ok(json.peek()?))? {
                    ValueType::Array => {
                        self.told(|json| Ok(json.begin_array()?))?;
                        self.in_list = true;
                    }
                    ValueType::Object if !self.each => {
                        let value = self.value()?;
                        self.leave()?;
                        return Ok(Some(value));
                    }
                    _ if self.each => return Err(self.wrong("một danh sách", "a list")),
                    _ => return Err(self.wrong("một danh sách hoặc đối tượng", "a list or an object")),
                }
            }
        }
    }

    fn allow(&self, bytes: u64) {
        self.left.store(bytes, Ordering::Relaxed);
    }

    fn value(&mut self) -> Result<Arc<Node>, IntakeError> {
        self.allow(ELEMENT_BYTES_MAX + AHEAD);
        let node = self.told(Node::read)?;
        self.allow(u64::MAX);
        self.done += 1;
        Ok(Arc::new(node))
    }

    fn enter(&mut self) -> Result<(), IntakeError> {
        for field in self.head.clone() {
            if self.told(|json| Ok(json.peek()?))? != ValueType::Object {
                return Err(
                    self.wrong(&format!("một đối tượng có `{field}`"), &format!("an object with `{field}`"))
                );
            }
            self.told(|json| Ok(json.begin_object()?))?;
            while !self.is_at(&field)? {}
        }
        Ok(())
    }

    fn is_at(&mut self, field: &str) -> Result<bool, IntakeError> {
        if !self.told(|json| Ok(json.has_next()?))? {
            return Err(self.wrong(&format!("trường `{field}`"), &format!("a field `{field}`")));
        }
        self.allow(CELL_BYTES_MAX as u64 + AHEAD);
        let found = self.told(|json| Ok(json.next_name()? == field))?;
        self.allow(u64::MAX);
        if !found {
            self.told(|json| Ok(json.skip_value()?))?;
        }
        Ok(found)
    }

    /// Out of the fields again, to the end of what is around them.
    fn leave(&mut self) -> Result<(), IntakeError> {
        for field in self.head.clone().iter().rev() {
            while self.told(|json| Ok(json.has_next()?))? {
                self.allow(CELL_BYTES_MAX as u64 + AHEAD);
                if self.told(|json| Ok(json.next_name()? == field))? {
                    return Err(self.told_fault(Fault::Twice(field.clone())));
                }
                self.allow(u64::MAX);
                self.told(|json| Ok(json.skip_value()?))?;
            }
            self.told(|json| Ok(json.end_object()?))?;
        }
        Ok(())
    }

    fn told<T>(
        &mut self,
        read: impl FnOnce(&mut JsonStreamReader<Metered<Box<dyn Read>>>) -> Result<T, Fault>,
    ) -> Result<T, IntakeError> {
        read(&mut self.json).map_err(|fault| self.told_fault(fault))
    }

    fn wrong(&self, vi: &str, en: &str) -> IntakeError {
        IntakeError::content(
            Place::row(self.done + 1),
            format!("ở đây phải có {vi}; hãy xem lại `records` (`*` đi qua mọi phần tử của danh sách)"),
            format!("here should be {en}; see to `records` (`*` goes through all elements of a list)"),
        )
    }

    fn told_fault(&self, fault: Fault) -> IntakeError {
        let place = Place::row(self.done + 1);
        match fault {
            Fault::Twice(name) => {
                let name = quoted(&name);
                IntakeError::content(
                    place,
                    format!("trường `{name}` có hai lần"),
                    format!("the field `{name}` is there twice"),
                )
            }
            Fault::Json(ReaderError::IoError { error, .. })
                if error.kind() == io::ErrorKind::FileTooLarge =>
            {
                let most = ELEMENT_BYTES_MAX >> 20;
                IntakeError::content(
                    place,
                    format!(
                        "một phần tử lớn hơn {most} MiB; hãy xem `records` đã chỉ đến danh sách bản ghi chưa"
                    ),
                    format!(
                        "an element is larger than {most} MiB; see whether `records` leads to the list of records"
                    ),
                )
            }
            Fault::Json(e) => {
                let said = quoted(&e.to_string());
                IntakeError::content(
                    place,
                    format!("JSON không đúng: {said}"),
                    format!("this is no good JSON: {said}"),
                )
            }
        }
    }
}
