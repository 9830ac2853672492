//! Changes of columns and of what is promised of their values.

use std::collections::BTreeSet;

use serde_json::Number;

use super::dataset::rules;
use super::{Changes, Effect, listed, shown};
use crate::{Classification, Column, ColumnKind, DatasetRecord, Personal, Text};

use Effect::{Breaking, Compatible, Editorial};

pub(super) fn compare(changes: &mut Changes, old: &DatasetRecord, new: &DatasetRecord) {
    let pairs = pairs(&old.columns, &new.columns);
    for (before, at) in old.columns.iter().zip(&pairs) {
        match at.and_then(|at| new.columns.get(at)) {
            Some(after) => column(changes, before, after),
            None => removed(changes, before),
        }
    }
    for (at, after) in new.columns.iter().enumerate() {
        if !pairs.contains(&Some(at)) {
            added(changes, after);
        }
    }
    let kept: Vec<usize> = pairs.iter().copied().flatten().collect();
    if !kept.is_sorted() {
        changes.add(
            "columns-reordered",
            None,
            Compatible,
            Text::new("thứ tự các cột thay đổi", "the order of the columns changed"),
        );
    }
    key(changes, old, new);
}

/// For each old column the new one: of the same `id`, else of the same name unless their `id`s say otherwise.
fn pairs(old: &[Column], new: &[Column]) -> Vec<Option<usize>> {
    let id = |column: &Column| column.promises.id.clone();
    let mut pairs: Vec<Option<usize>> = old
        .iter()
        .map(|before| {
            id(before).and_then(|wanted| new.iter().position(|after| id(after).as_ref() == Some(&wanted)))
        })
        .collect();
    for (i, before) in old.iter().enumerate() {
        if pairs.get(i).copied().flatten().is_some() {
            continue;
        }
        let same_name = new
            .iter()
            .position(|after| after.name == before.name && (id(after).is_none() || id(before).is_none()));
        if same_name.is_some()
            && !pairs.contains(&same_name)
            && let Some(pair) = pairs.get_mut(i)
        {
            *pair = same_name;
        }
    }
    pairs
}

fn removed(changes: &mut Changes, column: &Column) {
    let name = shown(&column.name);
    let said = Text::new(
        format!("cột {name} bị bỏ; nếu chỉ đổi tên, hãy ghi cùng một `id` ở cả hai phiên bản"),
        format!("column {name} is gone; if it was only renamed, give it the same `id` in both versions"),
    );
    changes.add("column-removed", Some(&column.name), Breaking, said);
}

fn added(changes: &mut Changes, column: &Column) {
    let name = shown(&column.name);
    let (code, effect, said) = if column.nullable {
        (
            "column-added-optional",
            Compatible,
            Text::new(
                format!("thêm cột {name}, không bắt buộc"),
                format!("column {name} was added, optional"),
            ),
        )
    } else {
        let said = Text::new(
            format!("thêm cột bắt buộc {name}: các dòng của phiên bản cũ không có nó"),
            format!("the required column {name} was added: rows of the old version do not have it"),
        );
        ("column-added-required", Breaking, said)
    };
    if column.personal == Personal::None {
        changes.add(code, Some(&column.name), effect, said);
    } else {
        changes.add_for_review(code, Some(&column.name), effect, said);
    }
}

fn column(changes: &mut Changes, old: &Column, new: &Column) {
    let at = Some(new.name.as_str());
    let name = shown(&new.name);
    if old.name != new.name {
        let before = shown(&old.name);
        let said = Text::new(
            format!("cột {before} đổi tên thành {name}"),
            format!("column {before} is now called {name}"),
        );
        changes.add("column-renamed", at, Breaking, said);
    }
    kind(changes, old, new);
    match (old.nullable, new.nullable) {
        (false, true) => changes.add(
            "column-optional",
            at,
            Breaking,
            Text::new(
                format!("cột {name} không còn bắt buộc: có thể thiếu giá trị"),
                format!("column {name} is no longer required: values may be missing"),
            ),
        ),
        (true, false) => changes.add(
            "column-required",
            at,
            Compatible,
            Text::new(
                format!("cột {name} nay luôn có giá trị"),
                format!("column {name} now always has a value"),
            ),
        ),
        _ => {}
    }
    if old.description != new.description {
        let said = Text::new(
            format!("mô tả cột {name} được sửa"),
            format!("the description of column {name} was edited"),
        );
        changes.add("description-changed", at, Editorial, said);
    }
    classification(changes, at, old.classification, new.classification);
    personal(changes, at, old.personal, new.personal);
    unit(changes, old, new);
    codes(changes, old, new);
    bounds(changes, old, new);
    unique(changes, old, new);
    rules(changes, at, &old.promises.quality, &new.promises.quality);
}

fn kind(changes: &mut Changes, old: &Column, new: &Column) {
    use ColumnKind::{Date, Integer, Number, String, Timestamp};
    if old.kind == new.kind {
        return;
    }
    let wider = |from, to| {
        from != String && to == String || matches!((from, to), (Integer, Number) | (Date, Timestamp))
    };
    let (code, vi, en) = if wider(old.kind, new.kind) {
        ("type-widened", "được mở rộng", "widened")
    } else if wider(new.kind, old.kind) {
        ("type-narrowed", "bị thu hẹp", "narrowed")
    } else {
        ("type-changed", "đổi", "changed")
    };
    let (name, from, to) = (shown(&new.name), kind_word(old.kind), kind_word(new.kind));
    let said = Text::new(
        format!("kiểu của cột {name} {vi} từ `{from}` thành `{to}`"),
        format!("the type of column {name} was {en} from `{from}` to `{to}`"),
    );
    changes.add(code, Some(&new.name), Breaking, said);
}

fn kind_word(kind: ColumnKind) -> &'static str {
    match kind {
        ColumnKind::String => "string",
        ColumnKind::Integer => "integer",
        ColumnKind::Number => "number",
        ColumnKind::Boolean => "boolean",
        ColumnKind::Date => "date",
        ColumnKind::Timestamp => "timestamp",
    }
}

fn of(at: Option<&str>) -> (String, String) {
    match at {
        Some(name) => (format!("cột {}", shown(name)), format!("column {}", shown(name))),
        None => ("bộ dữ liệu".to_owned(), "the dataset".to_owned()),
    }
}

/// A column without its own has the dataset's; that one's change is told there.
fn classification(
    changes: &mut Changes,
    at: Option<&str>,
    old: Option<Classification>,
    new: Option<Classification>,
) {
    let word =
        |class: Option<Classification>| class.map_or("—".to_owned(), |class| class.get().to_string());
    let (vi, en) = of(at);
    let said = Text::new(
        format!("mức phân loại của {vi}: {} → {}", word(old), word(new)),
        format!("classification of {en}: {} → {}", word(old), word(new)),
    );
    // None is the dataset's, which no column is above.
    let rank = |class: Option<Classification>| class.map_or(u8::MAX, Classification::get);
    match rank(new).cmp(&rank(old)) {
        std::cmp::Ordering::Greater => changes.add_for_review("classification-raised", at, Breaking, said),
        std::cmp::Ordering::Less => changes.add_for_review("classification-lowered", at, Compatible, said),
        std::cmp::Ordering::Equal => {}
    }
}

pub(super) fn dataset_classification(changes: &mut Changes, old: Classification, new: Classification) {
    classification(changes, None, Some(old), Some(new));
}

pub(super) fn personal(changes: &mut Changes, at: Option<&str>, old: Personal, new: Personal) {
    if old == new {
        return;
    }
    let word = |personal| match personal {
        Personal::None => "none",
        Personal::Basic => "basic",
        Personal::Sensitive => "sensitive",
    };
    let (vi, en) = of(at);
    let said = Text::new(
        format!("dữ liệu cá nhân của {vi}: `{}` → `{}`", word(old), word(new)),
        format!("personal data of {en}: `{}` → `{}`", word(old), word(new)),
    );
    let effect = if new > old { Breaking } else { Compatible };
    changes.add_for_review("personal-changed", at, effect, said);
}

fn unit(changes: &mut Changes, old: &Column, new: &Column) {
    let (name, at) = (shown(&new.name), Some(new.name.as_str()));
    match (&old.promises.unit, &new.promises.unit) {
        (Some(from), Some(to)) if from != to => {
            let (from, to) = (shown(from), shown(to));
            let said = Text::new(
                format!("đơn vị của cột {name} đổi từ {from} thành {to}"),
                format!("the unit of column {name} changed from {from} to {to}"),
            );
            changes.add("unit-changed", at, Breaking, said);
        }
        (Some(from), None) => {
            let from = shown(from);
            let said = Text::new(
                format!("cột {name} không còn ghi đơn vị {from}"),
                format!("column {name} no longer says its unit {from}"),
            );
            changes.add("unit-changed", at, Breaking, said);
        }
        (None, Some(to)) => {
            let to = shown(to);
            let said = Text::new(
                format!("cột {name} nay ghi đơn vị {to}"),
                format!("column {name} now says its unit {to}"),
            );
            changes.add("unit-said", at, Compatible, said);
        }
        _ => {}
    }
}

fn codes(changes: &mut Changes, old: &Column, new: &Column) {
    let (name, at) = (shown(&new.name), Some(new.name.as_str()));
    let set = |column: &'_ Column| column.promises.codes.iter().cloned().collect::<BTreeSet<String>>();
    let (before, after) = (set(old), set(new));
    match (before.is_empty(), after.is_empty()) {
        (true, true) => return,
        (true, false) => {
            let said = Text::new(
                format!("cột {name} nay chỉ có các mã trong danh mục"),
                format!("column {name} now has only the codes of a list"),
            );
            return changes.add("codes-narrowed", at, Breaking, said);
        }
        (false, true) => {
            let said = Text::new(
                format!("cột {name} không còn danh mục mã: có thể có giá trị bất kỳ"),
                format!("column {name} no longer has a code list: any value may come"),
            );
            return changes.add("codes-dropped", at, Breaking, said);
        }
        (false, false) => {}
    }
    let gone = listed(before.difference(&after).map(String::as_str));
    if !gone.is_empty() {
        let said = Text::new(
            format!("danh mục mã của cột {name} bị bỏ: {gone}"),
            format!("codes of column {name} are gone: {gone}"),
        );
        changes.add("codes-narrowed", at, Breaking, said);
    }
    let come = listed(after.difference(&before).map(String::as_str));
    if !come.is_empty() {
        let said = Text::new(
            format!("danh mục mã của cột {name} có thêm: {come}"),
            format!("codes of column {name} were added: {come}"),
        );
        changes.add("codes-widened", at, Compatible, said);
    }
}

fn bounds(changes: &mut Changes, old: &Column, new: &Column) {
    let (before, after) = (&old.promises, &new.promises);
    let number = |n: &Option<Number>| n.as_ref().and_then(Number::as_f64);
    let length = |n: Option<u64>| n.map(|n| n as f64);
    let low = |n: Option<f64>| n.unwrap_or(f64::NEG_INFINITY);
    let high = |n: Option<f64>| n.unwrap_or(f64::INFINITY);
    let pairs = [
        // Greater is stricter for what is least, less for what is greatest.
        (low(number(&after.minimum)), low(number(&before.minimum))),
        (low(length(after.min_length)), low(length(before.min_length))),
        (high(number(&before.maximum)), high(number(&after.maximum))),
        (high(length(before.max_length)), high(length(after.max_length))),
    ];
    let (name, at) = (shown(&new.name), Some(new.name.as_str()));
    let pattern_gone = before.pattern.is_some() && before.pattern != after.pattern;
    if pattern_gone || pairs.iter().any(|(a, b)| a < b) {
        let said = Text::new(
            format!(
                "giới hạn của cột {name} (khoảng, độ dài, mẫu) được nới hoặc đổi: có thể có giá trị trước đây không có"
            ),
            format!(
                "the bounds of column {name} (range, length, pattern) were loosened or changed: values may come that did not before"
            ),
        );
        changes.add("bounds-loosened", at, Breaking, said);
    } else if before.pattern != after.pattern || pairs.iter().any(|(a, b)| a > b) {
        let said = Text::new(
            format!("giới hạn của cột {name} (khoảng, độ dài, mẫu) chặt hơn"),
            format!("the bounds of column {name} (range, length, pattern) are tighter"),
        );
        changes.add("bounds-tightened", at, Compatible, said);
    }
}

fn unique(changes: &mut Changes, old: &Column, new: &Column) {
    let (name, at) = (shown(&new.name), Some(new.name.as_str()));
    match (old.promises.unique, new.promises.unique) {
        (true, false) => changes.add(
            "unique-dropped",
            at,
            Breaking,
            Text::new(
                format!("giá trị của cột {name} có thể trùng nhau"),
                format!("values of column {name} may come twice"),
            ),
        ),
        (false, true) => changes.add(
            "unique-promised",
            at,
            Compatible,
            Text::new(
                format!("giá trị của cột {name} nay không trùng nhau"),
                format!("values of column {name} no longer come twice"),
            ),
        ),
        _ => {}
    }
}

/// A key is the same when its columns are, whatever they are called now.
fn key(changes: &mut Changes, old: &DatasetRecord, new: &DatasetRecord) {
    let pairs = pairs(&old.columns, &new.columns);
    let at =
        |columns: &[Column], wanted: &Column| columns.iter().position(|column| column.name == wanted.name);
    let (before, after) = (old.primary_key(), new.primary_key());
    let now = |column: &Column| at(&old.columns, column).and_then(|at| pairs.get(at).copied().flatten());
    let moved: Vec<Option<usize>> = before.iter().map(|column| now(column)).collect();
    let wanted: Vec<Option<usize>> = after.iter().map(|column| at(&new.columns, column)).collect();
    if moved == wanted {
        return;
    }
    let names = |key: &[&Column]| listed(key.iter().map(|column| column.name.as_str()));
    let (from, to) = (names(&before), names(&after));
    if before.is_empty() {
        let said = Text::new(format!("nay có khoá: {to}"), format!("there is a key now: {to}"));
        changes.add("key-added", None, Compatible, said);
    } else {
        let to = if to.is_empty() { "—" } else { &to };
        let said = Text::new(
            format!("khoá đổi từ {from} thành {to}"),
            format!("the key changed from {from} to {to}"),
        );
        changes.add("key-changed", None, Breaking, said);
    }
}
