//! From an element to its records: down the rest of the way, with the parents' fields.

use std::sync::Arc;

use super::document::Step;
use super::node::Node;

/// An element that was gone through, and the field that was gone into.
type Parent = (Arc<Node>, Option<String>);

/// A list on the way.
#[derive(Debug)]
struct Frame {
    list: Arc<Node>,
    next: usize,
    /// Steps that were taken when one stands on an element.
    taken: usize,
    parents: Vec<Parent>,
}

/// A record and those above it, the nearest last.
#[derive(Debug)]
pub(super) struct Record {
    /// Its own fields.
    pub node: Arc<Node>,
    parents: Vec<Parent>,
}

/// What is not at the place where the way leads.
#[derive(Debug)]
pub(super) struct Astray {
    /// The step.
    pub step: String,
}

/// The records below an element, one after another.
#[derive(Debug, Default)]
pub(super) struct Walk {
    frames: Vec<Frame>,
    ready: Option<Record>,
    /// Elements that have nothing where the way leads.
    pub without: u64,
}

impl Walk {
    /// Begins with an element.
    pub fn begin(&mut self, node: Arc<Node>, steps: &[Step]) -> Result<(), Astray> {
        self.descend(node, 0, Vec::new(), steps)
    }

    /// The next record.
    pub fn next(&mut self, steps: &[Step]) -> Result<Option<Record>, Astray> {
        loop {
            if let Some(record) = self.ready.take() {
                return Ok(Some(record));
            }
            let Some(frame) = self.frames.last_mut() else {
                return Ok(None);
            };
            let element = match &*frame.list {
                Node::List(list) => list.get(frame.next).cloned(),
                _ => None,
            };
            frame.next += 1;
            let (taken, parents) = (frame.taken, frame.parents.clone());
            match element {
                Some(element) => self.descend(element, taken, parents, steps)?,
                None => drop(self.frames.pop()),
            }
        }
    }

    fn descend(
        &mut self,
        node: Arc<Node>,
        taken: usize,
        mut parents: Vec<Parent>,
        steps: &[Step],
    ) -> Result<(), Astray> {
        let rest = steps.get(taken..).unwrap_or_default();
        if let Some(first) = rest.first() {
            let into = if let Step::Field(name) = first { Some(name.clone()) } else { None };
            parents.push((Arc::clone(&node), into));
        }
        let (mut node, mut taken) = (node, taken);
        for step in rest {
            taken += 1;
            match (step, &*node) {
                (_, Node::Null) => {
                    self.without += 1;
                    return Ok(());
                }
                (Step::Each, Node::List(_)) => {
                    self.frames.push(Frame { list: node, next: 0, taken, parents });
                    return Ok(());
                }
                (Step::Field(name), Node::Object(_)) => match node.field(name) {
                    Some(field) => node = Arc::clone(field),
                    None => {
                        self.without += 1;
                        return Ok(());
                    }
                },
                (Step::Each, _) => return Err(Astray { step: "*".to_owned() }),
                (Step::Field(name), _) => return Err(Astray { step: name.clone() }),
            }
        }
        match &*node {
            Node::List(_) if !rest.is_empty() => {
                self.frames.push(Frame { list: node, next: 0, taken, parents })
            }
            Node::Null if !rest.is_empty() => self.without += 1,
            _ => self.ready = Some(Record { node, parents }),
        }
        Ok(())
    }
}

/// Columns and what they hold.
pub(super) type Cells<'a> = Vec<(String, Option<&'a str>)>;

/// A list where a value should be.
#[derive(Debug)]
pub(super) struct ListThere(pub String);

impl Record {
    /// Its columns and values, then its parents'. `None` when it is no object; lists in parents go to `lists`.
    pub fn cells<'a>(
        &'a self,
        left_out: &impl Fn(&str) -> bool,
        lists: &mut Vec<String>,
    ) -> Result<Option<Cells<'a>>, ListThere> {
        let Node::Object(_) = &*self.node else {
            return Ok(None);
        };
        let mut out = Vec::new();
        flat(&self.node, "", None, left_out, &mut out, None)?;
        let mut prefix = String::new();
        for (parent, into) in self.parents.iter().rev() {
            prefix.push_str("parent.");
            flat(parent, &prefix, into.as_deref(), left_out, &mut out, Some(&mut *lists))?;
        }
        Ok(Some(out))
    }
}

fn flat<'a>(
    node: &'a Node,
    prefix: &str,
    but: Option<&str>,
    left_out: &impl Fn(&str) -> bool,
    out: &mut Cells<'a>,
    mut lists: Option<&mut Vec<String>>,
) -> Result<(), ListThere> {
    let Node::Object(fields) = node else {
        return Ok(());
    };
    for (field, value) in fields.iter().filter(|(field, _)| Some(field.as_str()) != but) {
        let name = crate::text_form::nfc(format!("{prefix}{field}"));
        if left_out(&name) {
            continue;
        }
        match (&**value, lists.as_deref_mut()) {
            (Node::Null, _) => out.push((name, None)),
            (Node::Text(text), _) => out.push((name, Some(text))),
            (Node::Object(_), lists) => flat(value, &format!("{name}."), None, left_out, out, lists)?,
            (Node::List(_), Some(lists)) => {
                if lists.len() < 5 && !lists.contains(&name) {
                    lists.push(name);
                }
            }
            (Node::List(_), None) => return Err(ListThere(name)),
        }
    }
    Ok(())
}
