//! Code lists: names, old names included, become codes.
//!
//! A list is a CSV file (UTF-8, commas) beside the mapping, with the columns `code`, `name` and, where there are such,
//! `old_names` (several with `|` between) and `within` (the code of what it lies in). A code may stand in several rows: its
//! names add up.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::io::Read as _;
use std::path::{Component, Path};

use super::text::{fold_case, quoted, tidy};
use crate::limits::{CODES_BYTES_MAX, CODES_ROWS_MAX, QUOTED_CHARS_MAX, UNKNOWN_MAX};
use crate::{IntakeError, Said};

/// Most candidates that a message names.
const CANDIDATES_SHOWN: usize = 8;

/// What a text is in a list.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Match<'l> {
    /// One code.
    Code(&'l str),
    /// Several: with the reason, which names them.
    Ambiguous(Said),
    /// None.
    Unknown,
}

/// A list, ready to look in. Codes are counted by their row.
#[derive(Debug, Default)]
pub(crate) struct CodeList {
    /// Code and first name.
    codes: Vec<(String, String)>,
    by_code: HashMap<String, usize>,
    exact: HashMap<String, BTreeSet<usize>>,
    folded: HashMap<String, BTreeSet<usize>>,
}

impl CodeList {
    /// Reads the list `name` in `base`; with `within` only what lies in that code.
    pub(crate) fn read(base: &Path, name: &str, within: Option<&str>) -> Result<Self, IntakeError> {
        let path = Path::new(name);
        if name.is_empty() || !path.components().all(|part| matches!(part, Component::Normal(_))) {
            return Err(IntakeError::mapping(
                format!(
                    "{} phải là tên một tệp cạnh tệp ánh xạ, không có `..` và không bắt đầu bằng `/`",
                    quoted(name)
                ),
                format!("{} must be a file beside the mapping, without `..` and not from `/`", quoted(name)),
            ));
        }
        let mut text = String::new();
        // A link may not lead out of the folder either.
        let real = |path: &Path| path.canonicalize();
        let inside = real(base).and_then(|base| Ok((real(&base.join(path))?, base)));
        let (file, base) =
            inside.map_err(|e| refused(name, "không đọc được", &format!("cannot be read: {e}")))?;
        if !file.starts_with(&base) {
            return Err(refused(name, "dẫn ra ngoài thư mục", "leads out of the folder"));
        }
        File::open(file)
            .and_then(|file| file.take(CODES_BYTES_MAX + 1).read_to_string(&mut text))
            .map_err(|e| refused(name, "không đọc được", &format!("cannot be read: {e}")))?;
        if text.len() as u64 > CODES_BYTES_MAX {
            return Err(refused(name, "quá lớn", "is too large"));
        }
        Self::parse(&text, name, within)
    }

    fn parse(text: &str, name: &str, within: Option<&str>) -> Result<Self, IntakeError> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
        let unreadable =
            |e: csv::Error| refused(name, "không phải tệp CSV đúng", &format!("is no proper CSV: {e}"));
        let header: Vec<String> = reader.headers().map_err(unreadable)?.iter().map(fold_case).collect();
        let find = |names: &[&str]| header.iter().position(|column| names.contains(&column.as_str()));
        let Some(code_at) = find(&["code", "mã"]) else {
            return Err(refused(name, "thiếu cột `code`", "has no column `code`"));
        };
        let name_at = find(&["name", "tên"]);
        let old_at = find(&["old_names", "tên cũ"]);
        let within_at = find(&["within", "thuộc"]);
        if within.is_some() && within_at.is_none() {
            return Err(refused(name, "thiếu cột `within`", "has no column `within`"));
        }
        let mut list = Self::default();
        for (row, record) in reader.records().enumerate() {
            let record = record.map_err(unreadable)?;
            let cell = |at: Option<usize>| at.and_then(|at| record.get(at)).map(tidy).unwrap_or_default();
            if row >= CODES_ROWS_MAX {
                return Err(refused(name, "có quá nhiều dòng", "has too many rows"));
            }
            let code = cell(Some(code_at));
            if code.is_empty() {
                let line = record.position().map_or(0, csv::Position::line);
                return Err(refused(
                    name,
                    &format!("dòng {line} thiếu mã"),
                    &format!("has no code in line {line}"),
                ));
            }
            if within.is_some_and(|within| cell(within_at) != within) {
                continue;
            }
            let old = cell(old_at);
            let names = std::iter::once(cell(name_at)).chain(old.split('|').map(tidy));
            list.add(code, names.filter(|name| !name.is_empty()));
        }
        if list.codes.is_empty() {
            return Err(refused(name, "không có mã nào", "holds no code"));
        }
        Ok(list)
    }

    fn add(&mut self, code: String, names: impl Iterator<Item = String>) {
        let at = *self.by_code.entry(code.clone()).or_insert(self.codes.len());
        if at == self.codes.len() {
            self.folded.entry(fold_case(&code)).or_default().insert(at);
            self.codes.push((code, String::new()));
        }
        for name in names {
            if let Some((_, first)) = self.codes.get_mut(at).filter(|(_, first)| first.is_empty()) {
                first.clone_from(&name);
            }
            self.folded.entry(fold_case(&name)).or_default().insert(at);
            self.exact.entry(name).or_default().insert(at);
        }
    }

    /// The code of a text: as it is written first, then whatever the case; marks are never left out of account.
    pub(crate) fn find(&self, text: &str) -> Match<'_> {
        if let Some((code, _)) = self.by_code.get(text).and_then(|at| self.codes.get(*at)) {
            return Match::Code(code);
        }
        let found = self.exact.get(text).or_else(|| self.folded.get(&fold_case(text)));
        let Some(found) = found else { return Match::Unknown };
        let mut codes = found.iter().filter_map(|at| self.codes.get(*at));
        match (codes.next(), found.len()) {
            (Some((code, _)), 1) => Match::Code(code),
            _ => Match::Ambiguous(self.ambiguous(text, found)),
        }
    }

    fn ambiguous(&self, text: &str, found: &BTreeSet<usize>) -> Said {
        let shown = found.iter().take(CANDIDATES_SHOWN).filter_map(|at| self.codes.get(*at));
        let mut names: Vec<String> = shown.map(|(code, name)| format!("{code} ({name})")).collect();
        if found.len() > CANDIDATES_SHOWN {
            names.push(format!("… (+{})", found.len() - CANDIDATES_SHOWN));
        }
        let names = names.join(", ");
        Said::new(
            format!("{} có thể là {names}; hãy ghi mã, hoặc thu hẹp bằng `within`", quoted(text)),
            format!("{} may be {names}; write the code, or narrow the list with `within`", quoted(text)),
        )
    }
}

fn refused(name: &str, vi: &str, en: &str) -> IntakeError {
    IntakeError::mapping(
        format!("danh mục mã {} {vi}; hãy sửa tệp đó", quoted(name)),
        format!("the code list {} {en}; correct that file", quoted(name)),
    )
}

/// Unknown texts of a column, cut to a readable length, with how often each came; beyond a limit they are counted together.
#[derive(Debug, Default)]
pub(crate) struct Unknowns {
    pub(crate) counts: BTreeMap<String, (u64, crate::Place)>,
    pub(crate) total: u64,
}

impl Unknowns {
    pub(crate) fn add(&mut self, text: &str, place: &crate::Place) {
        self.total += 1;
        let text: String = text.chars().take(QUOTED_CHARS_MAX).collect();
        if let Some((count, _)) = self.counts.get_mut(&text) {
            *count += 1;
        } else if self.counts.len() < UNKNOWN_MAX {
            self.counts.insert(text, (1, place.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WARDS: &str = "\u{feff}code,name,old_names,within\n\
        00004,Phường Ba Đình,Phường Trúc Bạch|Phường Quán Thánh,01\n\
        00070,Phường Hoàn Kiếm,Phường Hàng Bạc,01\n\
        99001,Xã Tân Phú,,80\n\
        99002,Xã Tân Phú,,82\n\
        99003,Xã Hòa,,80\n\
        99004,Xã Hoa,,80\n";

    fn list(within: Option<&str>) -> CodeList {
        CodeList::parse(WARDS, "phuong.csv", within).unwrap()
    }

    #[test]
    fn codes_and_names_old_and_new_are_found_whatever_the_case() {
        let list = list(None);
        for (text, code) in [
            ("00004", "00004"),
            ("Phường Ba Đình", "00004"),
            ("PHƯỜNG  BA ĐÌNH", "00004"),
            ("phường trúc bạch", "00004"),
            ("Phường Hàng Bạc", "00070"),
            ("xã hòa", "99003"),
            ("Xã Hoa", "99004"),
        ] {
            assert_eq!(list.find(&tidy(text)), Match::Code(code), "{text}");
        }
        for text in ["Phuong Ba Dinh", "4", "Phường", "xã hoà"] {
            assert_eq!(list.find(text), Match::Unknown, "{text}");
        }
    }

    #[test]
    fn a_name_of_two_is_refused_with_both_unless_the_list_is_narrowed() {
        let Match::Ambiguous(said) = list(None).find("xã tân phú").into_owned() else {
            panic!("ambiguous")
        };
        assert!(said.en.contains("99001 (Xã Tân Phú), 99002 (Xã Tân Phú)"), "{said}");
        assert_eq!(list(Some("82")).find("xã tân phú"), Match::Code("99002"));
    }

    impl Match<'_> {
        fn into_owned(self) -> Match<'static> {
            match self {
                Match::Ambiguous(said) => Match::Ambiguous(said),
                Match::Code(_) | Match::Unknown => Match::Unknown,
            }
        }
    }

    #[test]
    fn lists_that_cannot_be_are_refused() {
        for (text, expected) in [
            ("", "no column `code`"),
            ("name\na\n", "no column `code`"),
            ("code,name\n", "holds no code"),
            ("code,name\n,Hà Nội\n", "no code in line 2"),
            ("code,name\n1,a,b\n", "no proper CSV"),
        ] {
            let error = CodeList::parse(text, "x.csv", None).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
        assert!(CodeList::parse("code\n1\n", "x.csv", Some("1")).is_err());
        let many = format!("code\n{}", "1\n".repeat(CODES_ROWS_MAX + 1));
        assert!(CodeList::parse(&many, "x.csv", None).unwrap_err().to_string().contains("too many"));
    }

    #[test]
    fn a_list_is_read_beside_the_mapping_and_nowhere_else() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("in")).unwrap();
        std::fs::write(dir.path().join("phuong.csv"), WARDS).unwrap();
        assert!(CodeList::read(dir.path(), "phuong.csv", None).is_ok());
        let inside = dir.path().join("in");
        let absolute = dir.path().join("phuong.csv");
        for name in ["../phuong.csv", absolute.to_str().unwrap(), "", "none.csv", "."] {
            assert!(CodeList::read(&inside, name, None).is_err(), "{name}");
        }
        std::os::unix::fs::symlink(&absolute, inside.join("link.csv")).unwrap();
        let error = CodeList::read(&inside, "link.csv", None).unwrap_err().to_string();
        assert!(error.contains("leads out of the folder"), "{error}");
        std::fs::write(dir.path().join("latin.csv"), b"code\n\xff\n").unwrap();
        assert!(CodeList::read(dir.path(), "latin.csv", None).is_err());
    }
}
