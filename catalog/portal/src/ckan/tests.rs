use super::*;
use crate::samples;

fn catalog() -> Catalog {
    let mut all: Vec<_> = ["a1", "b2", "c3", "d4", "e5"].iter().map(|name| samples::dataset(name)).collect();
    all[1] = samples::restricted("b2");
    all[2].modified += 10;
    all[3].publisher.id = "urn:agency:vn:other".to_owned();
    all[3].publisher.name = "other".to_owned();
    all[4].keywords = vec!["nước".to_owned(), "x".to_owned(), "a:b".to_owned()];
    samples::catalog(all)
}

fn call_with(catalog: &Catalog, action: &str, params: Value) -> Answer {
    let params = Params::from_json(params.to_string().as_bytes()).expect("an object");
    answer(catalog, action, &params, &|text| Some(text.split_whitespace().map(str::to_owned).collect()))
}

fn call(action: &str, params: Value) -> Answer {
    call_with(&catalog(), action, params)
}

fn good(action: &str, params: Value) -> Value {
    let answer = call(action, params.clone());
    assert_eq!(answer.status, 200, "{action} {params}: {}", answer.body);
    assert_eq!(answer.body["success"], true);
    answer.body["result"].clone()
}

fn names(result: &Value) -> Vec<String> {
    let list = result["results"].as_array().expect("results");
    list.iter().map(|package| package["name"].as_str().expect("a name").to_owned()).collect()
}

fn fq(text: &str) -> Vec<String> {
    names(&good("package_search", json!({ "fq": text, "sort": "name asc", "rows": 100 })))
}

#[test]
fn filters_mean_what_harvesters_mean() {
    let own = "urn-agency-vn-h26-18";
    for (text, wanted) in [
        ("", "a1 b2 c3 d4 e5"),
        ("*:*", "a1 b2 c3 d4 e5"),
        ("metadata_modified:[2025-10-01T00:00:00Z TO *]", "a1 b2 c3 d4 e5"),
        ("metadata_modified:[2025-10-01T00:00:01.123456Z TO *]", "c3"),
        ("metadata_modified:[* TO 2025-10-01T00:00:00Z]", "a1 b2 d4 e5"),
        ("organization:other", "d4"),
        ("organization:other OR organization:nobody", "d4"),
        (
            "organization:other OR organization:urn-agency-vn-h26-18 metadata_modified:[2025-10-01T00:00:05Z TO *]",
            "c3",
        ),
        ("-organization:other -organization:nobody", "a1 b2 c3 e5"),
        ("NOT organization:other", "a1 b2 c3 e5"),
        ("organization:(other OR nobody)", "d4"),
        ("organization:\"other\"", "d4"),
        ("+organization:other +state:active", "d4"),
        ("groups:moi-truong", "a1 c3 d4 e5"),
        ("-groups:moi-truong", "b2"),
        ("groups:moi-truong AND (name:a1 OR name:c*)", "a1 c3"),
        ("name:a1 OR name:b2 AND groups:moi-truong", "a1"),
        ("tags:nuoc", "e5"),
        ("tags:\"không khí\"", "a1 b2 c3 d4"),
        ("res_format:OData", "a1 c3 d4 e5"),
        ("license_id:cc-by", "a1 c3 d4 e5"),
        ("access_rights:RESTRICTED", "b2"),
        ("dataset_type:dataset AND capacity:public", "a1 b2 c3 d4 e5"),
        ("dataset_type:harvest", ""),
        ("title:b2", "b2"),
    ] {
        assert_eq!(fq(text).join(" "), wanted, "{text} ({own})");
    }
}

#[test]
fn a_query_that_cannot_be_read_is_an_error_and_no_page() {
    let deep = format!("{}name:a{}", "(".repeat(99), ")".repeat(99));
    let many = "name:a ".repeat(999);
    for text in [
        "nonsense:1",
        "name:",
        "(name:a",
        "name:a)",
        "metadata_modified:[yesterday TO *]",
        "name:\"a",
        "{!x}",
        "OR",
        "metadata_modified:[x]",
        "name:a OR",
        "-",
        "name:(",
        &deep,
        &many,
        &"x".repeat(99_999),
    ] {
        let answer = call("package_search", json!({ "fq": text }));
        assert_eq!(answer.status, 400, "{text:.60}: {}", answer.body);
        assert_eq!(answer.body["error"]["__type"], "Search Query Error");
        assert!(answer.body.get("result").is_none());
    }
    assert_eq!(
        call("package_search", json!({ "sort": "size asc" })).body["error"]["__type"],
        "Search Query Error"
    );
    let failed =
        answer(&catalog(), "package_search", &Params::from_pairs([("q".into(), "x".into())]), &|_| None);
    assert_eq!((failed.status, &failed.body["error"]["__type"]), (409, &json!("Search Error")));
}

#[test]
fn pages_by_id_hold_each_package_once_and_end_empty() {
    let mut seen = Vec::new();
    let mut last = Value::Null;
    for start in (0..).step_by(2) {
        let page = good("package_search", json!({ "rows": 2, "start": start, "sort": "id asc" }));
        assert_ne!(page, last, "two pages must not be alike");
        assert_eq!(page["count"], 5);
        let ids: Vec<_> = page["results"].as_array().unwrap().iter().map(|p| p["id"].clone()).collect();
        if ids.is_empty() {
            break;
        }
        seen.extend(ids.iter().map(|id| id.as_str().unwrap().to_owned()));
        last = page;
    }
    let mut sorted = seen.clone();
    sorted.sort();
    sorted.dedup();
    assert_eq!(seen, sorted);
    assert_eq!(seen.len(), 5);
    assert_eq!(good("package_search", json!({ "start": 99_999_999_999_u64 }))["results"], json!([]));
}

#[test]
fn an_empty_portal_answers_everything() {
    let empty = samples::catalog(Vec::new());
    for action in
        ["package_list", "group_list", "tag_list", "license_list", "current_package_list_with_resources"]
    {
        assert_eq!(call_with(&empty, action, json!({})).body["result"], json!([]), "{action}");
    }
    let found = call_with(&empty, "package_search", json!({ "facet.field": ["tags"] })).body;
    assert_eq!(found["result"]["count"], 0);
    assert_eq!(found["result"]["results"], json!([]));
    assert_eq!(
        call_with(&empty, "organization_list", json!({})).body["result"],
        json!(["urn-agency-vn-h26-18"])
    );
}

#[test]
fn words_come_in_the_order_of_the_search() {
    assert_eq!(names(&good("package_search", json!({ "q": "d4 a1 unknown c3" }))), ["d4", "a1", "c3"]);
    assert_eq!(names(&good("package_search", json!({ "q": "organization:other" }))), ["d4"]);
    assert_eq!(
        names(&good("package_search", json!({ "q": "*:*", "rows": 1 }))),
        ["c3"],
        "last changed first"
    );
}

#[test]
fn facets_count_what_was_found() {
    let fields = json!(["organization", "groups", "tags", "res_format"]);
    let result = good("package_search", json!({ "rows": 0, "facet.field": fields.to_string() }));
    assert_eq!(result["facets"]["organization"], json!({ "urn-agency-vn-h26-18": 4, "other": 1 }));
    assert_eq!(result["facets"]["groups"], json!({ "moi-truong": 4 }));
    assert_eq!(result["search_facets"]["groups"]["items"][0]["display_name"], "Môi trường");
    assert_eq!(result["facets"]["tags"]["a b"], 1);
    let one = good("package_search", json!({ "facet.field": ["tags"], "facet.limit": 1, "rows": 0 }));
    assert_eq!(one["facets"]["tags"].as_object().unwrap().len(), 1);
}

#[test]
fn hidden_and_unknown_are_the_same_and_say_so_as_ckan_does() {
    for (action, id) in
        [("package_show", "nothing"), ("organization_show", "x"), ("group_show", "x"), ("resource_show", "x")]
    {
        let answer = call(action, json!({ "id": id }));
        assert_eq!(
            (answer.status, &answer.body["error"]["__type"]),
            (404, &json!("Not Found Error")),
            "{action}"
        );
        let missing = call(action, json!({}));
        assert_eq!(
            (missing.status, &missing.body["error"]["id"]),
            (409, &json!(["Missing value"])),
            "{action}"
        );
    }
    assert_eq!(call("package_delete", json!({})).status, 400);
    assert_eq!(call("package_search", json!({ "rows": "-1" })).body["error"]["__type"], "Validation Error");
}

#[test]
fn a_package_is_complete_and_stable() {
    let by_name = good("package_show", json!({ "id": "a1" }));
    let id = by_name["id"].as_str().unwrap();
    assert_eq!(id, "e1bde0ca-cb38-81e6-9e39-471321c5a483", "ids must never change: harvesters keep them");
    assert_eq!(good("package_show", json!({ "id": id })), by_name);
    let resource = &by_name["resources"][0];
    assert_eq!(&good("resource_show", json!({ "id": resource["id"] })), resource);
    assert_eq!(good("resource_view_list", json!({ "id": resource["id"] })), json!([]));
    let organization = good("organization_show", json!({ "id": by_name["owner_org"] }));
    assert_eq!(organization["name"], by_name["organization"]["name"]);
    assert_eq!(organization["package_count"], 4);
    assert_eq!(good("group_show", json!({ "id": "moi-truong" }))["id"], by_name["groups"][0]["id"]);
    let restricted = good("package_show", json!({ "id": "b2" }));
    assert_eq!(restricted["resources"], json!([]));
    assert!(!restricted.to_string().contains("odata"));
}

#[test]
fn parameters_may_be_text_or_not() {
    let json = good("package_list", json!({ "limit": 2, "offset": "1" }));
    assert_eq!(json, json!(["b2", "c3"]));
    let pairs = [("limit", "2"), ("offset", "1")].map(|(k, v)| (k.to_owned(), v.to_owned()));
    let got = answer(&catalog(), "package_list", &Params::from_pairs(pairs), &|_| None);
    assert_eq!(got.body["result"], json);
    assert_eq!(Params::from_json(b"  ").unwrap(), Params::default());
    for bad in [&b"["[..], b"[]", b"\"x\"", b"\xff"] {
        assert!(matches!(Params::from_json(bad), Err(Problem::BadRequest(_))));
    }
    let all = good("organization_list", json!({ "all_fields": "True", "sort": "package_count desc" }));
    assert_eq!(all[0]["package_count"], 4);
    assert_eq!(good("organization_list", json!({ "organizations": ["other"] })), json!(["other"]));
    assert_eq!(
        good("help_show", json!({ "name": "site_read" })),
        json!("Whether the site can be read: true.")
    );
}

#[test]
fn every_action_answers() {
    for action in &ACTIONS {
        let answer = call(action.name, json!({ "id": "a1", "name": "site_read" }));
        assert!(
            answer.body["success"].is_boolean() && answer.status < 500,
            "{}: {}",
            action.name,
            answer.body
        );
    }
}
