//! What the auditor's verbs say to people: Vietnamese first, then English.

use serde_json::{Value, json};

use super::super::out::{list, text};

/// `verify`
pub fn report(checked: &Value) -> String {
    let ok = checked["ok"] == json!(true);
    let mut lines = Vec::new();
    if checked["origin"].is_string() {
        lines.push(format!("{}: {} entries checked", text(checked, "origin"), text(checked, "entries")));
    }
    if ok {
        lines.push("ĐẠT: sổ nguyên vẹn / VALID: the ledger is whole".to_owned());
        lines.push(format!(
            "every entry fits; the signed checkpoint covers {} of them",
            text(checked, "signed")
        ));
    } else {
        lines.push("KHÔNG ĐẠT / NOT VALID".to_owned());
        lines.push(format!("FIRST BAD THING: {}", text(checked, "problem")));
    }
    lines.extend(recovery(checked));
    if ok {
        lines.extend(authors(checked));
        lines.extend(cosigned(checked));
        lines.extend(bundle(checked));
        lines.extend(keys(&checked["keys"]));
    }
    lines.join("\n")
}

fn recovery(checked: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    if checked["unwritten"].as_u64().unwrap_or(0) > 0 {
        lines.push(format!(
            "{} entries are in the write-ahead log only; the node writes them out when it starts",
            checked["unwritten"]
        ));
    }
    if checked["archived"].as_u64().unwrap_or(0) > 0 {
        lines.push(format!(
            "{} of them are in an archive; their hashes were checked here",
            text(checked, "archived")
        ));
    }
    let stamps = list(checked, "time_stamps");
    if let Some(last) = stamps.last() {
        lines.push(format!(
            "{} time-stamps hold; the last one says that the first {} entries were there at {} ({})",
            stamps.len(),
            text(last, "size"),
            text(last, "time"),
            text(last, "authority")
        ));
    }
    if checked["time_stamps_unchecked"].as_u64().unwrap_or(0) > 0 {
        lines.push(format!(
            "{} time-stamps were not checked: no roots of their authority are configured; give them with --stamp-roots FILE",
            checked["time_stamps_unchecked"]
        ));
    }
    if checked["torn_bytes"].as_u64().unwrap_or(0) > 0 {
        lines.push(format!(
            "{} bytes of a record that nobody was told of stand at the end",
            checked["torn_bytes"]
        ));
    }
    lines
}

fn authors(checked: &Value) -> Vec<String> {
    let counted = &checked["statements"];
    let number = |key: &str| counted[key].as_u64().unwrap_or(0);
    let mut lines = vec![format!("chữ ký / statements: {} đúng / signed by known keys", number("signed"))];
    if number("author_unknown") > 0 {
        lines.push(format!(
            "  {} của cơ quan chưa có khóa ở đây (thêm --keys) / by authors whose keys are not given (add --keys)",
            number("author_unknown")
        ));
    }
    if number("unreadable") > 0 {
        lines.push(format!(
            "  {} không phải bản ghi mà chương trình này biết / are no statements that this program knows",
            number("unreadable")
        ));
    }
    lines
}

fn cosigned(checked: &Value) -> Vec<String> {
    let all = list(checked, "cosignatures");
    let line = |c: &Value| {
        let known =
            if c["known"] == json!(true) { text(c, "time") } else { "khóa lạ / key not given".to_owned() };
        format!("  {}  {known}", text(c, "name"))
    };
    if all.is_empty() {
        return vec!["nhân chứng / witnesses: không có / none cosigned".to_owned()];
    }
    std::iter::once("nhân chứng / witnesses:".to_owned()).chain(all.iter().map(line)).collect()
}

fn bundle(checked: &Value) -> Vec<String> {
    let said = &checked["bundle"];
    if said.is_null() {
        return Vec::new();
    }
    let mut lines = vec![
        format!("gói / bundle: {} → {}, {}", text(said, "from"), text(said, "for"), text(said, "created")),
        format!(
            "  mục đích / purpose {}, kỳ / period {}..{}",
            text(said, "purpose"),
            text(&said["period"], "from"),
            text(&said["period"], "to")
        ),
        format!(
            "  {} mục của sổ không có trong gói / entries of the ledger are not in it",
            text(checked, "withheld")
        ),
    ];
    lines.extend(unreadable(said));
    for field in list(said, "opened") {
        let value: String = text(field, "value").replace('\n', " ").chars().take(200).collect();
        lines.push(format!(
            "  mở / opened: mục / entry {} {}: {value}",
            text(field, "index"),
            text(field, "field")
        ));
    }
    lines
}

/// Entries that whoever made the bundle could not read, and that are therefore not in it.
fn unreadable(said: &Value) -> impl Iterator<Item = String> + '_ {
    list(said, "unreadable").iter().map(|left| {
        format!(
            "  không đọc được, không có trong gói / unreadable, not in the bundle: mục / entry {}: {}",
            text(left, "index"),
            text(left, "reason")
        )
    })
}

fn keys(keys: &Value) -> Vec<String> {
    let from = match keys["from"].as_str() {
        Some("given") => "theo khóa đã cho / by the keys given:",
        Some("bundle") => {
            "theo khóa đi kèm trong gói; so dấu vân tay hoặc dùng --keys / by the keys that ride in the bundle; compare, \
             or give --keys:"
        }
        _ => "theo khóa trong thư mục của nút / by the keys in the node's own folder:",
    };
    let members =
        list(keys, "members").iter().map(|m| format!("  {}  {}", text(m, "fingerprint"), text(m, "id")));
    let vkeys = list(keys, "vkeys").iter().filter_map(Value::as_str).map(|key| format!("  {key}"));
    std::iter::once(from.to_owned()).chain(members).chain(vkeys).collect()
}

/// One entry as values of fixed columns.
pub fn cells(view: &Value) -> [String; 15] {
    let said = &view["statement"];
    let get = |key: &str| said.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let signer = get("signer");
    let index = view["index"].to_string();
    let kind = if said.is_null() { "unreadable".to_owned() } else { get("kind") };
    [
        index,
        get("time"),
        kind,
        get("exchange"),
        get("provider"),
        get("consumer"),
        get("dataset"),
        get("purpose"),
        get("decision"),
        get("reason"),
        signer,
        get("basis"),
        said["rule_set"]["version"].as_u64().map(|version| version.to_string()).unwrap_or_default(),
        get("reader"),
        get("action"),
    ]
}

/// One entry in one line.
pub fn entry(view: &Value) -> String {
    let [index, time, kind, id, provider, consumer, dataset, purpose, decision, reason, signer, ..] =
        cells(view);
    let kind = kind.trim_start_matches("tram/");
    let mut line = format!("{index:>6}  {time:<20}  {kind:<14}  {id}");
    let who = match (provider.is_empty(), consumer.is_empty()) {
        (false, false) => format!("{consumer} ← {dataset}"),
        _ => signer,
    };
    let said = &view["statement"];
    let read = said["reader"]
        .as_str()
        .map(|reader| format!("{reader} {}", text(said, "action")))
        .unwrap_or_default();
    for part in [who, read, purpose, decision, reason] {
        if !part.is_empty() {
            line = format!("{line}  {part}");
        }
    }
    if let Some(fields) = view["opened"].as_object() {
        for (field, value) in fields {
            let value: String =
                value.as_str().unwrap_or_default().replace('\n', " ").chars().take(120).collect();
            line = format!("{line}\n        {field} = {value}");
        }
    }
    line
}

/// `export`
pub fn exported(told: &Value) -> String {
    let given = format!(
        "{}: {} mục / entries, {} trường mở / fields opened, {} dấu thời gian / time-stamps, dành cho / for {}",
        text(told, "file"),
        text(told, "entries"),
        text(told, "opened"),
        text(told, "time_stamps"),
        text(told, "for")
    );
    let recorded = format!("đã ghi vào sổ / recorded as entry {}", text(told, "recorded"));
    let check = format!("kiểm tra / to check:  tram ledger verify {}", text(told, "file"));
    let lines: Vec<String> =
        std::iter::once(given).chain(unreadable(told)).chain([recorded, check]).collect();
    lines.join("\n")
}

/// `reconcile`
pub fn reconciled(found: &Value) -> String {
    let side = |key: &str| {
        let side = &found[key];
        format!("{}  {}  {} mục / entries", key.to_uppercase(), text(side, "agency"), text(side, "entries"))
    };
    let mut lines = vec![side("a"), side("b"), format!("khớp / agree: {}", text(found, "agree"))];
    let differences = list(found, "differences");
    if differences.is_empty() {
        let nothing = found["agree"].as_u64() == Some(0);
        lines.push(
            if nothing {
                "không có gì để đối chiếu: hai sổ không có trao đổi chung / nothing to compare: no exchange of the two is in either ledger"
            } else {
                "không có khác biệt / no differences"
            }
            .to_owned(),
        );
    }
    for difference in differences {
        let index = |side: &str| text(&difference[side], "index");
        lines.push(format!(
            "{}  {}  A:{} B:{}\n    {}\n    {}",
            text(difference, "code"),
            text(difference, "exchange"),
            index("a"),
            index("b"),
            text(&difference["reason"], "vi"),
            text(&difference["reason"], "en")
        ));
    }
    lines.join("\n")
}

/// A round of `watch`
pub fn grown(told: &Value) -> String {
    format!(
        "{}: {} mục mới / new entries, tổng / size {}; {}",
        text(told, "origin"),
        text(told, "new"),
        text(told, "size"),
        if told["before"].is_null() {
            "lần đầu, chưa có gì để so / the first look, nothing to compare with yet"
        } else {
            "nối tiếp đúng / consistent with the last one"
        }
    )
}

/// A round of `watch` that found two histories.
pub fn conflict(told: &Value) -> String {
    let what = if told["code"] == json!("rollback") {
        "SỔ BỊ LÙI / THE LOG WENT BACK"
    } else {
        "SỔ BỊ RẼ NHÁNH / THE LOG FORKED"
    };
    let tree = |key: &str| format!("{} ({})", text(&told[key], "size"), text(&told[key], "root"));
    let kept: Vec<&str> = list(told, "evidence").iter().filter_map(Value::as_str).collect();
    format!(
        "{what}: {}\n  trước / before: {}\n  nay / now:      {}\n  bằng chứng / evidence: {}",
        text(told, "origin"),
        tree("first"),
        tree("second"),
        kept.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_ledger_is_told_by_its_first_bad_thing() {
        let text = report(&json!({"ok": false, "origin": "o", "entries": 3, "problem": "`x` at index 2"}));
        assert!(text.contains("KHÔNG ĐẠT") && text.contains("FIRST BAD THING: `x` at index 2"), "{text}");
    }

    #[test]
    fn an_entry_is_one_line_whatever_it_is() {
        let said = json!({"kind": "tram/exchange@v1", "exchange": "01J", "provider": "p", "consumer": "c",
            "dataset": "d", "decision": "deny", "reason": "NO-RULE"});
        let line = entry(&json!({"index": 4, "statement": said}));
        assert!(
            line.contains("c ← d") && line.ends_with("deny  NO-RULE") && line.lines().count() == 1,
            "{line}"
        );
        assert!(entry(&json!({"index": 5, "unreadable": "x"})).contains("unreadable"));
    }
}
