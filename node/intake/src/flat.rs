//! Records of servers as flat rows: CSV as RFC 4180 has it, and JSON objects with names joined by dots. It detects
//! nothing; files as old programs wrote them are for other readers.

mod csv_records;
mod json_records;
mod lines;

pub(crate) use csv_records::CsvRecords;
pub(crate) use json_records::{array_at, flatten, text_at};
pub(crate) use lines::Lines;
