//! What is written reads back, and what is not understood is refused.

use super::*;
use crate::dsp::{Offer, parse_value};

fn rules(permission: Value) -> RuleBody {
    let offer = json!({ "@id": "urn:o", "@type": "Offer", "permission": permission });
    parse_value::<Offer>(offer).unwrap().rules
}

fn one(constraint: Value) -> Result<Terms, TermsError> {
    Terms::read(&rules(json!([{ "action": "use", "constraint": constraint }])))
}

fn id(text: &str) -> Id {
    Id::new(text).unwrap()
}

#[test]
fn terms_survive_being_written() {
    let terms = Terms {
        purposes: vec![id("pu:traffic"), id("pu:research")],
        legal_basis: Some(id("ND47-2020")),
        valid_from: Some(1_790_000_000),
        valid_until: Some(1_800_000_000),
        deed: Some(id("odrl:read")),
        stated: Stated {
            unit: Some(id("urn:tram:unit:health")),
            role: Some(id("urn:tram:role:doctor")),
            clearance: Some(3),
            place: Some(id("urn:tram:place:vn")),
            route: Some(id("urn:tram:route:direct")),
            channel: Some(id("urn:tram:zone:gov")),
        },
        duties: vec![Rule::new(id("odrl:watermark"), Vec::new())],
    };
    assert_eq!(Terms::read(&terms.to_rules().unwrap()).unwrap(), terms);
    let single = Terms { purposes: vec![id("pu:traffic")], ..Terms::default() };
    assert_eq!(Terms::read(&single.to_rules().unwrap()).unwrap(), single);
    assert_eq!(Terms::read(&Terms::default().to_rules().unwrap()).unwrap(), Terms::default());
}

#[test]
fn limits_of_time_are_half_open_and_the_narrowest_counts() {
    let at = |operator: &str, time: &str| json!({ "leftOperand": DATE_TIME, "operator": operator, "rightOperand": time });
    let terms = one(json!([
        at("gteq", "2026-01-01T00:00:00Z"),
        at("gt", "2026-01-01T00:00:00Z"),
        at("lteq", "2026-12-31T23:59:59Z"),
        at("lt", "2028-01-01T00:00:00Z"),
    ]));
    let terms = terms.unwrap();
    let (from, until) = (terms.valid_from.unwrap(), terms.valid_until.unwrap());
    assert_eq!((from, until), (1_767_225_601, 1_798_761_600));
    assert!(!terms.is_valid_at(from - 1) && terms.is_valid_at(from));
    assert!(terms.is_valid_at(until - 1) && !terms.is_valid_at(until));
}

#[test]
fn a_nested_and_is_read_and_every_spelling_of_odrl() {
    let terms = one(json!([{ "and": [
        { "leftOperand": "purpose", "operator": "odrl:eq", "rightOperand": { "@id": "pu:a" } },
        { "leftOperand": "urn:tram:ns:legalBasis", "operator": "eq", "rightOperand": { "@value": "b" } },
    ]}]));
    assert_eq!(
        terms.unwrap(),
        Terms { purposes: vec![id("pu:a")], legal_basis: Some(id("b")), ..Terms::default() }
    );
}

#[test]
fn what_is_not_understood_is_refused() {
    let refused = [
        json!([{ "leftOperand": "odrl:payAmount", "operator": "eq", "rightOperand": "5" }]),
        json!([{ "leftOperand": "odrl:spatial", "operator": "isNoneOf", "rightOperand": "urn:tram:place:vn" }]),
        json!([{ "leftOperand": ROLE, "operator": "isAnyOf", "rightOperand": ["a", "b"] }]),
        json!([{ "leftOperand": CLEARANCE, "operator": "gteq", "rightOperand": "10" }]),
        json!([{ "leftOperand": CLEARANCE, "operator": "lteq", "rightOperand": "3" }]),
        json!([{ "leftOperand": UNIT, "operator": "eq", "rightOperand": "a" },
               { "leftOperand": UNIT, "operator": "eq", "rightOperand": "b" }]),
        json!([{ "xone": [{ "leftOperand": PURPOSE, "operator": "eq", "rightOperand": "a" }] }]),
        json!([{ "leftOperand": PURPOSE, "operator": "isNoneOf", "rightOperand": ["a"] }]),
        json!([{ "leftOperand": PURPOSE, "operator": "isAnyOf", "rightOperand": [] }]),
        json!([{ "leftOperand": PURPOSE, "operator": "eq", "rightOperand": ["a", "b"] }]),
        json!([{ "leftOperand": DATE_TIME, "operator": "eq", "rightOperand": "2026-01-01T00:00:00Z" }]),
        json!([{ "leftOperand": DATE_TIME, "operator": "lt", "rightOperand": "2026-01-01T00:00:00" }]),
        json!([{ "or": [{ "leftOperand": PURPOSE, "operator": "eq", "rightOperand": "a" }] }]),
        json!([{ "leftOperand": PURPOSE, "operator": "eq", "rightOperand": "a", "unit": "x" }]),
        json!([{ "leftOperand": PURPOSE, "operator": "eq", "rightOperand": "a" },
               { "leftOperand": PURPOSE, "operator": "eq", "rightOperand": "b" }]),
    ];
    for constraint in refused {
        assert!(one(constraint.clone()).is_err(), "{constraint}");
    }
    assert!(Terms::read(&rules(json!([{ "action": "odrl:distribute" }]))).is_err());
    assert!(Terms::read(&rules(json!([{ "action": "use" }, { "action": "use" }]))).is_err());
    assert!(Terms::read(&rules(json!([{ "action": "use", "duty": [{ "action": "odrl:pay" }] }]))).is_err());
}

#[test]
fn rules_beyond_permissions_and_inherited_ones_are_refused() {
    let policy = |more: Value| {
        let mut offer = json!({ "@id": "o", "@type": "Offer", "permission": [{ "action": "use" }] });
        let (object, more) = (offer.as_object_mut().unwrap(), more.as_object().unwrap().clone());
        object.extend(more);
        Terms::read(&parse_value::<Offer>(offer).unwrap().rules)
    };
    assert!(policy(json!({ "prohibition": [{ "action": "odrl:distribute" }] })).is_err());
    let named = policy(json!({ "prohibition": [{ "action": "odrl:distribute" }] })).unwrap_err();
    assert!(named.to_string().contains("`odrl:distribute`"), "{named}");
    let duties = policy(json!({ "obligation": [{ "action": "odrl:delete" }] })).unwrap().duties;
    assert_eq!(duties.len(), 1, "what a duty means is the policy's");
    assert!(policy(json!({ "profile": PROFILE })).is_ok());
    let named = policy(json!({ "profile": ["urn:other:profile"] })).unwrap_err();
    assert!(named.to_string().contains("`urn:other:profile`"), "{named}");
    assert!(policy(json!({ "odrl:conflict": { "@id": "odrl:prohibit" } })).is_ok());
    assert!(policy(json!({ "odrl:conflict": { "@id": "odrl:perm" } })).is_err());
    assert!(policy(json!({ "odrl:inheritFrom": "urn:x" })).is_err());
    assert!(policy(json!({ "inheritFrom": "urn:x" })).is_err());
    assert!(policy(json!({ "dct:title": "x", "odrl:assigner": "urn:p" })).is_ok());
    for limit in ["urn:tram:ns:onlyOn", "gov:onlyOn", "https://other.example/ns#limit"] {
        assert!(policy(json!({ limit: "x" })).is_err(), "{limit} could limit the use");
    }
}

#[test]
fn terms_that_never_hold_are_refused() {
    let terms = Terms { valid_from: Some(10), valid_until: Some(10), ..Terms::default() };
    assert_eq!(terms.to_rules(), Err(TermsError::NeverValid { from: 10, until: 10 }));
}
