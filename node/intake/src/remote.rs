//! What readers of servers share: deadlines, the form of text, the limits of names and cells. It knows no protocol.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use unicode_normalization::{UnicodeNormalization as _, is_nfc};

use crate::limits::{CELL_BYTES_MAX, COLUMNS_MAX, QUOTED_CHARS_MAX, READ_SECONDS, ROW_BYTES_MAX};
use crate::{Cell, IntakeError, Place, Remark};

/// The moment when a reading ends, whatever it has.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline(Instant);

impl Deadline {
    /// So many seconds from now, at most [`READ_SECONDS`].
    pub(crate) fn after(seconds: u64) -> Self {
        Self(Instant::now() + Duration::from_secs(seconds.min(READ_SECONDS)))
    }

    /// What is left, at most `step`.
    ///
    /// # Errors
    /// [`IntakeError::Unreachable`] when nothing is.
    pub(crate) fn left(&self, step: Duration) -> Result<Duration, IntakeError> {
        let left = self.0.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(too_slow()) } else { Ok(left.min(step)) }
    }
}

/// The source took too long.
pub(crate) fn too_slow() -> IntakeError {
    IntakeError::unreachable(
        "nguồn trả lời quá chậm nên đã dừng đọc; hãy thử lại sau, hoặc lấy ít dữ liệu hơn mỗi lần",
        "the source answered too slowly and reading stopped; try again later, or take less at a time",
    )
}

/// Refuses names that rows cannot have.
///
/// # Errors
/// [`IntakeError::Origin`] that says which.
pub(crate) fn check_columns(columns: &[String]) -> Result<(), IntakeError> {
    if columns.is_empty() || columns.len() > COLUMNS_MAX {
        let n = columns.len();
        return Err(IntakeError::origin(
            format!("nguồn có {n} cột; cần từ 1 đến {COLUMNS_MAX} cột"),
            format!("the source has {n} columns; from 1 to {COLUMNS_MAX} can be read"),
        ));
    }
    let mut seen = HashSet::new();
    for (i, name) in columns.iter().enumerate() {
        if name.is_empty() || !seen.insert(name) {
            let (i, name) = (i + 1, quoted(name));
            return Err(IntakeError::origin(
                format!("tên cột thứ {i} để trống hoặc trùng: `{name}`; hãy đặt tên riêng cho từng cột"),
                format!(
                    "the name of column {i} is empty or stands twice: `{name}`; give each column its own name"
                ),
            ));
        }
    }
    Ok(())
}

/// Puts values into the house's form and watches their size.
#[derive(Debug, Default)]
pub(crate) struct Text {
    normalised: u64,
}

impl Text {
    /// NFC.
    pub(crate) fn nfc(&mut self, value: &str) -> String {
        if is_nfc(value) {
            return value.to_owned();
        }
        self.normalised += 1;
        value.nfc().collect()
    }

    /// What was changed, as a remark.
    pub(crate) fn remarks(&self) -> Vec<Remark> {
        if self.normalised == 0 {
            return Vec::new();
        }
        let n = self.normalised;
        vec![Remark::new(
            "text-normalised",
            format!("{n} ô có chữ tổ hợp rời đã được đưa về dạng dựng sẵn (NFC)"),
            format!("{n} cells with decomposed letters were put into the composed form (NFC)"),
        )]
    }
}

/// Refuses a row that is larger than rows may be.
///
/// # Errors
/// [`IntakeError::Content`] with the cell's place.
pub(crate) fn check_row(row: &[Cell], columns: &[String], place: &Place) -> Result<(), IntakeError> {
    let mut total = 0_usize;
    for (cell, name) in row.iter().zip(columns) {
        let bytes = cell.as_ref().map_or(0, String::len);
        total = total.saturating_add(bytes);
        if bytes > CELL_BYTES_MAX || total > ROW_BYTES_MAX {
            return Err(IntakeError::content(
                place.clone().column(name),
                format!("giá trị quá lớn: ô tối đa {CELL_BYTES_MAX} byte, dòng tối đa {ROW_BYTES_MAX} byte"),
                format!("too large: a cell has at most {CELL_BYTES_MAX} bytes, a row {ROW_BYTES_MAX}"),
            ));
        }
    }
    Ok(())
}

/// Takes the values that are too large out of a row of a live reading, the largest first, until it is no larger than rows may
/// be. Names the column of the first, so that the row is known for damaged.
pub(crate) fn shrunk(row: &mut [Cell], columns: &[String]) -> Option<String> {
    let mut first = None;
    loop {
        let sizes = || row.iter().map(|cell| cell.as_ref().map_or(0, String::len)).enumerate();
        let total: usize = sizes().map(|(_, bytes)| bytes).fold(0, usize::saturating_add);
        let (at, bytes) = sizes().max_by_key(|(_, bytes)| *bytes)?;
        if bytes <= CELL_BYTES_MAX && total <= ROW_BYTES_MAX {
            return first;
        }
        first = first.or_else(|| columns.get(at).cloned());
        *row.get_mut(at)? = None;
    }
}

/// A value shortened for a message, without control characters.
pub(crate) fn quoted(value: &str) -> String {
    let mut short: String =
        value.chars().take(QUOTED_CHARS_MAX).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if value.chars().nth(QUOTED_CHARS_MAX).is_some() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_empty_or_equal_and_tables_without_or_with_too_many_columns_are_refused() {
        let names = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
        assert!(check_columns(&names(&["a", "b"])).is_ok());
        for bad in [names(&[]), names(&["a", "a"]), names(&["a", ""])] {
            assert!(matches!(check_columns(&bad), Err(IntakeError::Origin(_))));
        }
        let many: Vec<_> = (0..100_000).map(|i| i.to_string()).collect();
        assert!(check_columns(&many).is_err());
    }

    #[test]
    fn text_becomes_nfc_and_is_told_and_long_cells_are_refused_by_name() {
        let mut text = Text::default();
        assert_eq!(text.nfc("Ha\u{300} No\u{323}\u{302}i"), "Hà Nội");
        assert_eq!(text.nfc("Huế"), "Huế");
        assert!(text.remarks()[0].said.en.starts_with("1 cells"));
        let columns = vec!["id".to_owned(), "scan".to_owned()];
        let row = vec![Some("1".into()), Some("x".repeat(CELL_BYTES_MAX + 1))];
        let e = check_row(&row, &columns, &Place::row(7)).unwrap_err();
        assert!(e.to_string().contains("row 7") && e.to_string().contains("`scan`"), "{e}");
    }

    #[test]
    fn of_a_row_that_is_too_large_only_the_values_that_are_go() {
        let columns: Vec<String> = (0..12).map(|i| format!("c{i}")).collect();
        let cell = |bytes: usize| Some("x".repeat(bytes));
        let mut row: Vec<Cell> = (0..12).map(|_| cell(9)).collect();
        assert_eq!(shrunk(&mut row, &columns), None);
        row[3] = cell(CELL_BYTES_MAX + 1);
        row[5] = cell(CELL_BYTES_MAX);
        assert_eq!(shrunk(&mut row, &columns).as_deref(), Some("c3"));
        assert!(row[3].is_none() && row[5].is_some() && row.iter().flatten().count() == 11);
        // None is too large by itself, together they are.
        let mut row: Vec<Cell> = (0..12).map(|i| cell(CELL_BYTES_MAX - i)).collect();
        assert_eq!(shrunk(&mut row, &columns).as_deref(), Some("c0"));
        assert_eq!(row.iter().filter(|cell| cell.is_none()).count(), 4, "8 MiB are left");
        assert!(row[0].is_none() && row[4].is_some());
    }

    #[test]
    fn a_deadline_that_has_passed_leaves_nothing() {
        assert!(Deadline::after(0).left(Duration::from_secs(5)).is_err());
        assert!(Deadline::after(100).left(Duration::from_secs(5)).unwrap() <= Duration::from_secs(5));
    }
}
