//! JSON objects as flat rows. Numbers keep the digits that they are written with.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::limits::{COLUMNS_MAX, NESTED_MAX};
use crate::remote::{Text, quoted};
use crate::{Cell, IntakeError, Place};

/// The members of an object, in their order.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    if members.len() >= COLUMNS_MAX {
                        return Err(serde::de::Error::custom("too many members"));
                    }
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Collect)
    }
}

/// What stands at a path of names with dots between; the whole for the empty path.
fn at<'a>(body: &'a str, path: &str) -> Result<Option<&'a RawValue>, IntakeError> {
    let not_json = |e: serde_json::Error| {
        let e = quoted(&e.to_string());
        IntakeError::content(Place::default(), format!("không phải JSON: {e}"), format!("not JSON: {e}"))
    };
    let mut value: &RawValue = serde_json::from_str(body).map_err(not_json)?;
    for name in path.split('.').filter(|name| !name.is_empty()) {
        if !value.get().starts_with('{') {
            return Ok(None);
        }
        let members: Members<'_> = serde_json::from_str(value.get()).map_err(not_json)?;
        match members.0.into_iter().find(|(member, _)| member == name) {
            Some((_, inner)) => value = inner,
            None => return Ok(None),
        }
    }
    Ok(Some(value))
}

/// The records at a path.
///
/// # Errors
/// [`IntakeError::Content`] when there is no array.
pub(crate) fn array_at<'a>(body: &'a str, path: &str) -> Result<Vec<&'a RawValue>, IntakeError> {
    let found = at(body, path)?;
    found.and_then(|value| serde_json::from_str(value.get()).ok()).ok_or_else(|| {
        let path = quoted(path);
        IntakeError::content(
            Place::default(),
            format!("không có danh sách bản ghi ở `records = \"{path}\"`; hãy xem lại đường dẫn trong JSON"),
            format!("no array of records at `records = \"{path}\"`; see the path in the JSON"),
        )
    })
}

/// The text at a path; none where there is none, `null`, `false` or an empty one.
pub(crate) fn text_at(body: &str, path: &str) -> Result<Option<String>, IntakeError> {
    let found = at(body, path)?.filter(|value| value.get().starts_with('"'));
    let text: Option<String> = found.and_then(|value| serde_json::from_str(value.get()).ok());
    Ok(text.filter(|text| !text.is_empty()))
}

/// A record as names and cells. With `wanted`, only those names are looked at.
///
/// # Errors
/// [`IntakeError::Content`] for what is no object, lists, names that stand twice, and objects too deep.
pub(crate) fn flatten(
    record: &str,
    wanted: Option<&[String]>,
    place: &Place,
    text: &mut Text,
) -> Result<Vec<(String, Cell)>, IntakeError> {
    let mut flat = Flat { wanted, place, text, cells: Vec::new() };
    flat.object(record, "", 0)?;
    let mut names: Vec<&String> = flat.cells.iter().map(|(name, _)| name).collect();
    names.sort();
    let twice = names.iter().zip(names.iter().skip(1)).find(|(a, b)| a == b).map(|(a, _)| (*a).clone());
    match twice {
        Some(name) => Err(flat.wrong(&name, "có hai lần trong một bản ghi", "stands twice in one record")),
        None => Ok(flat.cells),
    }
}

struct Flat<'a> {
    wanted: Option<&'a [String]>,
    place: &'a Place,
    text: &'a mut Text,
    cells: Vec<(String, Cell)>,
}

impl Flat<'_> {
    fn object(&mut self, json: &str, prefix: &str, depth: usize) -> Result<(), IntakeError> {
        if depth > NESTED_MAX {
            return Err(self.wrong(prefix, "lồng quá sâu", "nested too deep"));
        }
        let Ok(members) = serde_json::from_str::<Members<'_>>(json) else {
            return Err(self.wrong(prefix, "không phải một đối tượng JSON", "not an object of JSON"));
        };
        for (name, value) in members.0 {
            let name = if prefix.is_empty() { self.text.nfc(&name) } else { format!("{prefix}.{name}") };
            self.member(name, value.get(), depth)?;
        }
        Ok(())
    }

    fn member(&mut self, name: String, json: &str, depth: usize) -> Result<(), IntakeError> {
        let within = |wanted: &String| {
            wanted == &name || wanted.strip_prefix(&name).is_some_and(|rest| rest.starts_with('.'))
        };
        if self.wanted.is_some_and(|wanted| !wanted.iter().any(within)) {
            return Ok(());
        }
        if json.starts_with('{') {
            return self.object(json, &name, depth + 1);
        }
        if json.starts_with('[') {
            return Err(self.wrong(
                &name,
                "là danh sách; hãy chọn các cột khác bằng `columns`",
                "is a list; choose other columns by `columns`",
            ));
        }
        let cell = match json {
            "null" => None,
            _ if json.starts_with('"') => match serde_json::from_str::<String>(json) {
                Ok(value) => Some(self.text.nfc(&value)),
                Err(_) => return Err(self.wrong(&name, "không phải chữ", "not text")),
            },
            _ if json.contains(['e', 'E']) && !matches!(json, "true" | "false") => {
                json.parse::<f64>().ok().filter(|n| n.is_finite()).map(|n| n.to_string())
            }
            _ => Some(json.to_owned()),
        };
        self.cells.push((name, cell));
        Ok(())
    }

    fn wrong(&self, name: &str, vi: &str, en: &str) -> IntakeError {
        IntakeError::content(self.place.clone().column(&quoted(name)), vi, en)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flat(json: &str, wanted: Option<&[String]>) -> Result<String, IntakeError> {
        let cells = flatten(json, wanted, &Place::row(1), &mut Text::default())?;
        let show = |(name, cell): (String, Cell)| format!("{name}={}", cell.unwrap_or("NULL".into()));
        Ok(cells.into_iter().map(show).collect::<Vec<_>>().join(";"))
    }

    #[test]
    fn nested_objects_are_joined_by_dots_and_numbers_keep_their_digits() {
        let json = r#"{"a": 0.10, "b": {"c": 12345678901234567890.123456789, "d": {"e": null}}, "f": true, "g": 1e3}"#;
        assert_eq!(
            flat(json, None).unwrap(),
            "a=0.10;b.c=12345678901234567890.123456789;b.d.e=NULL;f=true;g=1000"
        );
    }

    #[test]
    fn lists_deep_objects_and_names_that_stand_twice_are_refused_unless_left_out() {
        let deep = format!("{}1{}", "{\"a\":".repeat(10_000), "}".repeat(10_000));
        for bad in [r#"{"a": [1]}"#, r#"{"a": 1, "a": 2}"#, r#"{"a.b": 1, "a": {"b": 2}}"#, "[1]", "1", &deep]
        {
            assert!(flat(bad, None).is_err(), "{bad:.40}");
        }
        let wanted = ["b.c".to_owned()];
        assert_eq!(flat(r#"{"a": [1], "b": {"c": 2, "d": []}}"#, Some(&wanted)).unwrap(), "b.c=2");
    }

    #[test]
    fn records_and_links_are_found_by_their_path() {
        let body = r#"{"data": {"items": [{"a": 1}, {"a": 2}], "next": "/p2"}, "end": null}"#;
        assert_eq!(array_at(body, "data.items").unwrap().len(), 2);
        assert_eq!(text_at(body, "data.next").unwrap().as_deref(), Some("/p2"));
        assert_eq!(text_at(body, "end").unwrap(), None);
        assert!(array_at(body, "data").is_err() && array_at("<html>", "").is_err());
        assert_eq!(array_at("[1, 2]", "").unwrap().len(), 2);
    }
}
