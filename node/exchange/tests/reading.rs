//! What a peer may send in another form, and what is refused with its place named.

#![allow(clippy::unwrap_used, reason = "a test says what went wrong by stopping")]

mod common;

use common::{CONSUMER_PID, PROVIDER_PID, id};
use exchange::dsp::*;
use exchange::limits::{ID_BYTES_MAX, LIST_ITEMS_MAX, MESSAGE_BYTES_MAX, QUERY_BYTES_MAX};
use serde_json::{Value, json};

fn event(kind: &str) -> Value {
    json!({
        "@context": [CONTEXT],
        "@type": "ContractNegotiationEventMessage",
        "providerPid": PROVIDER_PID,
        "consumerPid": CONSUMER_PID,
        "eventType": kind,
    })
}

fn request() -> Value {
    json!({
        "@context": [CONTEXT],
        "@type": "ContractRequestMessage",
        "consumerPid": CONSUMER_PID,
        "callbackAddress": "https://peer.example/dsp",
        "offer": {
            "@id": "CD123:ACN0101:456",
            "@type": "Offer",
            "target": "ACN0101",
            "permission": [{ "action": "use", "constraint": [
                { "leftOperand": "odrl:purpose", "operator": "eq", "rightOperand": "pu:a" },
            ]}],
        },
    })
}

/// The value with one place replaced; `None` removes it.
fn with(mut value: Value, pointer: &str, new: Option<Value>) -> Value {
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    let parent = value.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    match new {
        Some(new) => parent.insert(key.to_owned(), new),
        None => parent.remove(key),
    };
    value
}

#[test]
fn every_spelling_of_the_same_request_reads_the_same() {
    let plain: ContractRequestMessage = parse_value(request()).unwrap();
    let prefixed = json!({
        "@context": ["https://example.org/other", CONTEXT],
        "@type": "dspace:ContractRequestMessage",
        "dspace:consumerPid": { "@id": CONSUMER_PID },
        "https://w3id.org/dspace/2025/1/callbackAddress": { "@value": "https://peer.example/dsp" },
        "dspace:offer": {
            "@id": "CD123:ACN0101:456",
            "@type": "odrl:Offer",
            "odrl:target": { "@id": "ACN0101" },
            "odrl:permission": { "odrl:action": { "@id": "odrl:use" }, "odrl:constraint": {
                "odrl:leftOperand": { "@id": "odrl:purpose" },
                "odrl:operator": { "@id": "odrl:eq" },
                "http://www.w3.org/ns/odrl/2/rightOperand": "pu:a",
            }},
        },
    });
    assert_eq!(parse_value::<ContractRequestMessage>(prefixed).unwrap(), plain);
}

#[test]
fn a_property_in_two_spellings_is_refused() {
    let twice = with(request(), "/offer/odrl:target", Some(json!("urn:other")));
    let error = parse_value::<ContractRequestMessage>(twice).unwrap_err();
    assert_eq!(error, MessageError::Twice { pointer: "/offer/target".into() });
}

#[test]
fn unknown_properties_are_kept_and_null_is_absence() {
    let mut value = with(request(), "/urn:x:more", Some(json!({ "a": [1] })));
    value = with(value, "/providerPid", Some(Value::Null));
    let message: ContractRequestMessage = parse_value(value).unwrap();
    assert_eq!(message.extra.get("urn:x:more"), Some(&json!({ "a": [1] })));
    assert!(matches!(message.turn, Turn::First { .. }));
}

#[test]
fn a_fault_is_named_with_its_place_what_was_expected_and_what_to_do() {
    let faults: &[(&str, Option<Value>, &str, &str)] = &[
        ("/@context", None, "/@context", "add it"),
        ("/@context", Some(json!(CONTEXT)), "/@context", "an array of strings"),
        (
            "/@context",
            Some(json!(["https://w3id.org/dspace/2024/1/context.json"])),
            "/@context",
            "send exactly",
        ),
        ("/@context", Some(json!([CONTEXT, { "x": "urn:x" }])), "/@context", "an array of strings"),
        ("/@type", None, "/@type", "ContractRequestMessage"),
        ("/@type", Some(json!(["ContractRequestMessage"])), "/@type", "a single string"),
        ("/@type", Some(json!("ContractOfferMessage")), "/@type", "`ContractOfferMessage`"),
        ("/consumerPid", None, "/consumerPid", "add it"),
        ("/consumerPid", Some(json!(7)), "/consumerPid", "found a number"),
        ("/consumerPid", Some(json!("")), "/consumerPid", "blank"),
        ("/consumerPid", Some(json!(["a"])), "/consumerPid", "found an array"),
        ("/consumerPid", Some(json!("a\u{7}b")), "/consumerPid", "control characters"),
        ("/callbackAddress", None, "/providerPid", "callbackAddress"),
        ("/callbackAddress", Some(json!("file:///etc/passwd")), "/callbackAddress", "begin it with https://"),
        ("/callbackAddress", Some(json!("https://a@b.example/")), "/callbackAddress", "leave out"),
        ("/callbackAddress", Some(json!("https://b.example/?x=1")), "/callbackAddress", "leave out"),
        ("/callbackAddress", Some(json!("https:///x")), "/callbackAddress", "name a host"),
        ("/providerPid", Some(json!("urn:p")), "/providerPid", "both"),
        ("/offer", None, "/offer", "add it"),
        ("/offer", Some(json!("urn:o")), "/offer", "found a string"),
        ("/offer/@id", None, "/offer/@id", "add it"),
        ("/offer/@type", None, "/offer/@type", "Offer"),
        ("/offer/target", None, "/offer/target", "add it"),
        ("/offer/permission", None, "/offer/permission", "at least one permission or prohibition"),
        ("/offer/permission", Some(json!([])), "/offer/permission", "an empty array"),
        ("/offer/prohibition", Some(json!([])), "/offer/prohibition", "leave the property out"),
        ("/offer/profile", Some(json!([])), "/offer/profile", "an empty array"),
        ("/offer/profile", Some(json!([7])), "/offer/profile", "found a number"),
        ("/offer/permission", Some(json!([{}])), "/offer/permission/0/action", "add it"),
        ("/offer/permission", Some(json!({})), "/offer/permission/action", "add it"),
    ];
    for (place, new, pointer, words) in faults {
        let value = with(request(), place, new.clone());
        let error = parse_value::<ContractRequestMessage>(value.clone()).unwrap_err();
        assert_eq!(error.pointer(), *pointer, "{error}");
        assert!(error.to_string().contains(words), "{error}");
        if *place != "/@type" {
            assert_eq!(Message::parse_value(value).unwrap_err(), error);
        }
    }
}

#[test]
fn faulty_conditions_are_refused() {
    let faults = [
        (json!({}), "leftOperand"),
        (json!({ "leftOperand": "a", "rightOperand": "b" }), "operator"),
        (json!({ "leftOperand": "a", "operator": "term-lteq", "rightOperand": "b" }), "operator"),
        (json!({ "leftOperand": "a", "operator": "eq" }), "rightOperand"),
        (json!({ "leftOperand": "a", "operator": "eq", "rightOperand": 5 }), "rightOperand"),
        (json!({ "and": [] }), "and"),
        (json!({ "and": [{ "leftOperand": "a", "operator": "eq" }] }), "and/0/rightOperand"),
        (json!({ "and": "x", "or": "y" }), "and"),
        (
            json!({ "or": [{ "leftOperand": "a", "operator": "eq", "rightOperand": "b" }], "leftOperand": "a" }),
            "or",
        ),
    ];
    for (constraint, place) in faults {
        let value = with(
            request(),
            "/offer/permission",
            Some(json!([{ "action": "use", "constraint": [constraint] }])),
        );
        let error = parse_value::<ContractRequestMessage>(value).unwrap_err();
        assert_eq!(error.pointer(), format!("/offer/permission/0/constraint/0/{place}"), "{error}");
    }
}

#[test]
fn events_and_states_are_closed_words() {
    assert!(parse_value::<ContractNegotiationEventMessage>(event("ACCEPTED")).is_ok());
    assert!(parse_value::<ContractNegotiationEventMessage>(event("dspace:FINALIZED")).is_ok());
    for word in ["accepted", "AGREED", "", "odrl:"] {
        let error = parse_value::<ContractNegotiationEventMessage>(event(word)).unwrap_err();
        assert_eq!(error.pointer(), "/eventType", "{error}");
    }
}

#[test]
fn a_catalog_carries_no_policy_of_its_own_and_its_offers_no_target() {
    let dataset = json!({
        "@id": "d",
        "hasPolicy": [{ "@id": "o", "@type": "Offer", "permission": [{ "action": "use" }] }],
        "distribution": [{ "format": "HttpData-PULL", "accessService": "s" }],
    });
    let catalog = json!({
        "@context": [CONTEXT], "@type": "Catalog", "@id": "c", "participantId": "p", "dataset": [dataset],
    });
    assert!(parse_value::<Catalog>(catalog.clone()).is_ok());
    let refused = [
        (with(catalog.clone(), "/hasPolicy", Some(json!([{}]))), "/hasPolicy"),
        (with(catalog.clone(), "/dataset", Some(json!([]))), "/dataset"),
        (with(catalog.clone(), "/participantId", None), "/participantId"),
        (
            with(catalog.clone(), "/dataset/0/hasPolicy/0/target", Some(json!("d"))),
            "/dataset/0/hasPolicy/0/target",
        ),
        (with(catalog.clone(), "/dataset/0/hasPolicy", Some(json!([]))), "/dataset/0/hasPolicy"),
        (with(catalog.clone(), "/dataset/0/distribution", None), "/dataset/0/distribution"),
        (with(catalog.clone(), "/dataset/0/distribution/0/format", None), "/dataset/0/distribution/0/format"),
        (
            with(
                catalog,
                "/dataset/0/distribution/0/accessService",
                Some(json!({ "@id": "s", "endpointURL": "https://s.example" })),
            ),
            "/dataset/0/distribution/0/accessService/@type",
        ),
    ];
    for (value, pointer) in refused {
        let error = parse_value::<Catalog>(value).unwrap_err();
        assert_eq!(error.pointer(), pointer, "{error}");
    }
}

#[test]
fn reasons_are_a_list_with_at_least_one_item_or_absent() {
    let error = |reason: Value| {
        let mut value = json!({
            "@context": [CONTEXT], "@type": "TransferError", "providerPid": "p", "consumerPid": "c",
        });
        value.as_object_mut().unwrap().insert("reason".into(), reason);
        parse_value::<TransferError>(value)
    };
    assert_eq!(error(json!([])).unwrap_err().pointer(), "/reason");
    assert_eq!(error(json!("one")).unwrap().cause.reason, [json!("one")]);
    assert_eq!(error(json!([1, {}])).unwrap().cause.reason, [json!(1), json!({})]);
    assert!(error(Value::Null).unwrap().cause.reason.is_empty());
}

#[test]
fn limits_hold_at_their_edges() {
    assert!(Id::new("x".repeat(ID_BYTES_MAX)).is_ok());
    assert!(Id::new("x".repeat(ID_BYTES_MAX + 1)).is_err());

    let reasons = |count: usize| {
        let reason = vec![json!("r"); count];
        parse_value::<CatalogError>(
            json!({ "@context": [CONTEXT], "@type": "CatalogError", "reason": reason }),
        )
    };
    assert!(reasons(LIST_ITEMS_MAX).is_ok());
    assert_eq!(reasons(LIST_ITEMS_MAX + 1).unwrap_err().pointer(), "/reason");

    let mut body = serde_json::to_vec(&request()).unwrap();
    body.resize(MESSAGE_BYTES_MAX, b' ');
    assert!(Message::parse(&body).is_ok());
    body.push(b' ');
    assert!(matches!(Message::parse(&body), Err(MessageError::Json(_))));
}

#[test]
fn a_query_is_an_object_of_limited_size_bare_or_as_a_json_literal() {
    let message = |query: Value| {
        let mut value = json!({
            "@context": [CONTEXT], "@type": "TransferRequestMessage", "consumerPid": "c", "agreementId": "a",
            "format": "HttpData-PULL", "callbackAddress": "http://peer.example",
        });
        value.as_object_mut().unwrap().insert("urn:tram:ns:query".into(), query);
        parse_value::<TransferRequestMessage>(value)
    };
    let query = json!({ "columns": ["PM 2.5"], "limit": 10 });
    assert_eq!(message(query.clone()).unwrap().query(), Some(&query));
    assert_eq!(message(json!({ "@type": "@json", "@value": query })).unwrap().query(), Some(&query));
    let sized = |size: usize| json!({ "q": "x".repeat(size - r#"{"q":""}"#.len()) });
    assert!(message(sized(QUERY_BYTES_MAX)).is_ok());
    for refused in [sized(QUERY_BYTES_MAX + 1), json!("all"), json!([1]), json!({ "@type": "@json" })] {
        assert_eq!(message(refused).unwrap_err().pointer(), "/urn:tram:ns:query");
    }
}

#[test]
fn a_token_is_in_no_error_and_in_no_debug_text() {
    let start = |value: Value| {
        parse_value::<TransferStartMessage>(json!({
            "@context": [CONTEXT], "@type": "TransferStartMessage", "providerPid": "p", "consumerPid": "c",
            "dataAddress": { "@type": "DataAddress", "endpointType": "urn:x", "endpointProperties": [
                { "@type": "EndpointProperty", "name": "authorization", "value": value },
                { "@type": "EndpointProperty", "name": "authType", "value": "Bearer" },
            ]},
        }))
    };
    let message = start(json!("TOKEN-1")).unwrap();
    assert_eq!(message.data_address.as_ref().unwrap().bearer_token(), Some("TOKEN-1"));
    assert!(!format!("{message:?}").contains("TOKEN-1"));
    for secret in [json!("TOKEN-1\u{1}"), json!(["TOKEN-1"]), json!(format!("TOKEN-1{}", "x".repeat(5000)))] {
        assert!(!start(secret).unwrap_err().to_string().contains("TOKEN-1"));
    }
}

#[test]
fn a_name_that_stands_twice_in_a_data_address_gives_no_token() {
    let one = EndpointProperty::new("authorization", "a").unwrap();
    let mut address = common::data_address();
    assert_eq!(address.bearer_token(), Some("secret-token"));
    address.properties.push(one);
    assert_eq!(address.bearer_token(), None);
    address.properties.retain(|property| property.name() != "authType");
    assert_eq!(address.bearer_token(), None);
}

#[test]
fn refusals_are_found_among_the_reasons() {
    let refusal = exchange::Refusal::new("no-basis", "Điều 7", "Thiếu căn cứ.", "No basis.").unwrap();
    let mut cause = Cause::refusal(&refusal);
    cause.reason.push(json!("and a remark"));
    let error = TransferError { pids: common::pids(), cause, extra: Extra::none() };
    let read: TransferError = parse(&to_bytes(&error).unwrap()).unwrap();
    assert_eq!((read.cause.code.as_deref(), read.cause.refusals()), (Some("no-basis"), vec![refusal]));
}

#[test]
fn addresses_join_with_and_without_a_trailing_slash_and_encode_ids() {
    for base in ["https://p.example/dsp", "https://p.example/dsp/"] {
        let address = Address::new(base).unwrap();
        let url = address.join(&["negotiations", "urn:uuid:1/2?x é", "offers"]);
        assert_eq!(url, "https://p.example/dsp/negotiations/urn:uuid:1%2F2%3Fx%20%C3%A9/offers");
    }
    assert_eq!(id("a").to_string(), "a");
}

#[test]
fn times_need_a_zone_and_keep_their_text() {
    let time = Timestamp::parse("2023-01-01T01:00:00+07:00").unwrap();
    assert_eq!((time.unix(), time.as_str()), (1_672_509_600, "2023-01-01T01:00:00+07:00"));
    for refused in
        ["2023-01-01T01:00:00", "2023-01-01 01:00:00Z", "2023-01-01T01:00:00z", "2023-13-01T01:00:00Z", "now"]
    {
        assert!(Timestamp::parse(refused).is_err(), "{refused}");
    }
    assert!(Timestamp::from_unix(i64::MAX).is_err());
    assert_eq!(Timestamp::from_unix(0).unwrap().as_str(), "1970-01-01T00:00:00Z");
}

#[test]
fn the_version_document_names_our_path() {
    let ours = VersionResponse::ours("/dsp");
    let read: VersionResponse = parse(&to_bytes(&ours).unwrap()).unwrap();
    assert_eq!((read.path(), &read), (Some("/dsp"), &ours));
    let other = json!({ "protocolVersions": [{ "version": "0.8", "path": "/x", "binding": "HTTPS" }] });
    assert_eq!(parse_value::<VersionResponse>(other).unwrap().path(), None);
    let refused = [
        json!({ "protocolVersions": [] }),
        json!({ "protocolVersions": [{ "version": "2025-1", "path": "/x", "binding": "GRPC" }] }),
        json!({ "protocolVersions": [{ "version": "2025-1", "path": "//evil", "binding": "HTTP" }] }),
        json!({ "protocolVersions": [{ "version": "2025-1", "path": "x", "binding": "HTTPS" }] }),
    ];
    for value in refused {
        assert!(parse_value::<VersionResponse>(value.clone()).is_err(), "{value}");
    }
}

/// Single objects become lists when they are read, so the stored form is deeper than what came. It must stay readable.
#[test]
fn the_deepest_message_that_is_taken_can_be_stored_and_read_again() {
    let mut constraint = json!({ "leftOperand": "a", "operator": "eq", "rightOperand": "b" });
    let deepest = loop {
        constraint = json!({ "and": constraint });
        let value =
            with(request(), "/offer/permission", Some(json!({ "action": "use", "constraint": constraint })));
        match Message::parse(&serde_json::to_vec(&value).unwrap()) {
            Ok(Message::Negotiation(NegotiationMessage::Request(message))) => stored_and_read_again(&message),
            Ok(other) => panic!("{other:?}"),
            Err(error) => break error,
        }
    };
    assert!(deepest.to_string().contains("more than 32 levels"), "{deepest}");

    let query = |levels: usize| {
        let nested = format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
        format!(
            r#"{{"@context":["{CONTEXT}"],"@type":"TransferRequestMessage","consumerPid":"c","agreementId":"a",
            "format":"f","callbackAddress":"http://p.example","urn:tram:ns:query":{{"q":{nested}}}}}"#
        )
    };
    let message: TransferRequestMessage = parse(query(30).as_bytes()).unwrap();
    let stored = serde_json::to_string(&message).unwrap();
    assert_eq!(serde_json::from_str::<TransferRequestMessage>(&stored).unwrap(), message);
    assert!(parse::<TransferRequestMessage>(query(31).as_bytes()).is_err());
}

/// Store a message, read it again, and compare.
fn stored_and_read_again(message: &ContractRequestMessage) {
    let stored = serde_json::to_string(message).unwrap();
    assert_eq!(&serde_json::from_str::<ContractRequestMessage>(&stored).unwrap(), message);
}
