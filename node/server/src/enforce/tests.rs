use super::*;

/// A dataset whose contract says how its aggregates are made.
fn record(subject: Option<catalog::Subject>, group_by: &[&str]) -> DatasetRecord {
    let source =
        catalog::Source { format: catalog::Format::Csv, path: "ca-benh.csv".to_owned(), delimiter: None };
    let id = catalog::DatasetId::suggest("ca-benh").unwrap();
    let mut record = DatasetRecord::draft(id, "urn:agency:vn:y-te", source, Vec::new(), 0);
    record.subject = subject;
    record.group_by = group_by.iter().map(|&name| name.to_owned()).collect();
    record
}

fn rule(json: &str) -> Aggregate {
    serde_json::from_str(json).unwrap()
}

#[track_caller]
fn says(error: &Error, words: &[&str]) {
    assert!(matches!(error, Error::Conflict(_)), "{error:?}");
    let text = error.to_string();
    assert!(words.iter().all(|word| text.contains(word)), "{text}");
}

#[test]
fn a_rule_narrows_the_columns_of_the_contract_and_never_widens_them() {
    let columns = |json: &str, contract: &[&str]| group_by(&rule(json), &record(None, contract));
    let both = columns(r#"{"k": 5, "group_by": ["phuong", "tuoi"]}"#, &["phuong", "thang"]).unwrap();
    assert_eq!(both, ["phuong"]);
    let only_contract = columns(r#"{"k": 5}"#, &["phuong", "thang"]).unwrap();
    assert_eq!(only_contract, ["phuong", "thang"]);
    let only_rule = columns(r#"{"k": 5, "group_by": ["tuoi"]}"#, &[]).unwrap();
    assert_eq!(only_rule, ["tuoi"]);
    let apart = columns(r#"{"k": 5, "group_by": ["tuoi"]}"#, &["phuong"]).unwrap_err();
    says(&apart, &["ca-benh", "`tuoi`", "`phuong`", "correct `group_by`"]);
    // What two rules leave of each other's columns may be nothing: that is no leave to take the contract's.
    says(&columns(r#"{"k": 5, "group_by": []}"#, &["phuong"]).unwrap_err(), &["ca-benh"]);
    says(&columns(r#"{"k": 5}"#, &[]).unwrap_err(), &["add `groupBy`"]);
}

#[test]
fn rules_and_contract_that_count_different_people_let_nothing_leave() {
    let patient = || Some(catalog::Subject::Key("ma_benh_nhan".to_owned()));
    let subject = |json: &str, contract| super::subject(&rule(json), &record(contract, &["phuong"]));
    let key = Subject::Key("ma_benh_nhan".to_owned());
    let by_patient = r#"{"k": 5, "subject": [{"key": "ma_benh_nhan"}]}"#;
    assert_eq!(subject(by_patient, patient()).unwrap(), key);
    assert_eq!(subject(by_patient, None).unwrap(), key);
    assert_eq!(subject(r#"{"k": 5}"#, patient()).unwrap(), key);
    assert_eq!(subject(r#"{"k": 5}"#, None).unwrap(), Subject::Rows);
    for other in ["{\"key\": \"ma_ca\"}", "{\"count\": \"ma_benh_nhan\"}"] {
        let error = subject(&format!(r#"{{"k": 5, "subject": [{other}]}}"#), patient()).unwrap_err();
        says(&error, &["ca-benh", "the key `ma_benh_nhan`", "correct `subject`"]);
    }
    let two = subject(r#"{"k": 5, "subject": [{"key": "a"}, {"key": "b"}]}"#, None).unwrap_err();
    says(&two, &["two ways"]);
}

fn masked(json: &str, kind: ColumnKind) -> Result<Mask> {
    let secrets = Secrets { mask: &[7; 32], linkages: Linkages::new(std::path::Path::new("/nowhere")) };
    let whom = For { recipient: "urn:agency:vn:b", purpose: Some("planning"), agreement: "urn:uuid:1" };
    mask(&serde_json::from_str(json).unwrap(), kind, &secrets, whom, "ngay")
}

#[test]
fn a_mask_that_the_columns_kind_cannot_take_lets_nothing_leave() {
    use ColumnKind::{Boolean, Date, Integer, Number, String as Text, Timestamp};
    let misfits: [(&str, &[ColumnKind]); 7] = [
        (r#"{"linkage":"a@00000000000000000000000000000000"}"#, &[Boolean, Date, Number, Timestamp]),
        (r#"{"truncate":3}"#, &[Boolean, Date, Integer, Number, Timestamp]),
        (r#"{"partial":{"first":0,"last":4}}"#, &[Boolean, Date, Integer, Number, Timestamp]),
        (r#"{"generalize":"day"}"#, &[Boolean, Integer, Number, Text]),
        (r#"{"generalize":{"bucket":10}}"#, &[Boolean, Date, Text, Timestamp]),
        (r#"{"generalize":{"decimals":2}}"#, &[Boolean, Date, Integer, Text, Timestamp]),
        (r#"{"generalize":{"place":1}}"#, &[Boolean, Date, Integer, Number, Timestamp]),
    ];
    for (written, kinds) in misfits {
        for kind in kinds {
            let error = masked(written, *kind).unwrap_err();
            says(&error, &["`ngay`", &kind.to_string(), written, "give it a mask that fits"]);
        }
    }
}

#[test]
fn pseudonyms_without_their_key_let_nothing_leave() {
    for kind in [ColumnKind::String, ColumnKind::Integer] {
        let error = masked(r#"{"linkage": "a@00000000000000000000000000000000"}"#, kind).unwrap_err();
        says(&error, &["a@00000000000000000000000000000000", "nothing leaves", "tram linkage import"]);
    }
}

#[test]
fn a_mask_that_fits_keeps_its_word_and_the_coarsest_fits_every_kind() {
    use ColumnKind::{Boolean, Date, Integer, Number, String as Text, Timestamp};
    let fits = |json: &str, kind, want: Mask| assert_eq!(masked(json, kind).unwrap(), want, "{json} {kind}");
    fits(r#"{"truncate": 3}"#, Text, Mask::Cut(3));
    fits(r#"{"generalize": {"place": 1}}"#, Text, Mask::LastParts(1));
    fits(r#"{"generalize": {"decimals": 2}}"#, Number, Mask::Decimals(2));
    fits(r#"{"generalize": {"bucket": 10}}"#, Integer, Mask::Bucket(10.0));
    for kind in [Date, Timestamp] {
        fits(r#"{"generalize": "month"}"#, kind, Mask::Truncate(TimeUnit::Month));
        fits(r#""generalize""#, kind, Mask::Truncate(TimeUnit::Year));
    }
    for kind in [Boolean, Integer, Number, Text] {
        fits(r#""generalize""#, kind, Mask::Null);
    }
    for kind in [Boolean, Date, Integer, Number, Text, Timestamp] {
        fits(r#"{"partial": {}}"#, kind, Mask::Null);
        fits(r#""null""#, kind, Mask::Null);
        fits(r#""drop""#, kind, Mask::Drop);
    }
}

#[test]
fn disclosure_control_is_said_in_the_words_of_the_engine() {
    let said = |json: &str, dataset: &str| {
        let obligations: Obligations = serde_json::from_str(json).unwrap();
        let mut record = record(None, &["phuong"]);
        record.id = catalog::DatasetId::suggest(dataset).unwrap();
        aggregate_only(&obligations, &record, &[7; 32]).map(|a| a.map(|a| a.disclosure))
    };
    let full = r#"{"aggregate": {"k": 9, "dominance": {"1": 80, "2": 90}, "p_percent": 10, "noise": {"counts": 2}, "round": 5}}"#;
    let found = said(full, "ca-benh").unwrap().unwrap();
    let dominance = dataplane::Dominance::default().and_largest(1, 80).and_then(|d| d.and_largest(2, 90));
    assert_eq!(found.dominance, dominance.and_then(|d| d.and_p_percent(10)).unwrap());
    assert_eq!(found.round_to, Some(dataplane::RoundTo::Five));
    assert!(matches!(found.noise, Some(dataplane::Added::Cell(_))));
    // The noise is the dataset's: the same under another rule, another one for another dataset.
    let noisy = r#"{"aggregate": {"k": 5, "noise": {"counts": 2}}}"#;
    assert_eq!(said(noisy, "ca-benh").unwrap().unwrap().noise, found.noise);
    assert_ne!(said(noisy, "ca-khac").unwrap().unwrap().noise, found.noise);
    let bare =
        said(r#"{"differential_privacy": {"epsilon": 1, "budget": {"day": 2}}}"#, "ca-benh").unwrap_err();
    says(&bare, &["without `aggregate`"]);
}
