//! What we write is valid by the official JSON Schemas of DSP 2025-1; what the standard shows as examples is read.
//!
//! The schemas are read from the shared vectors, never fetched. The version document is the one root without a context.

#![allow(clippy::unwrap_used, reason = "a test says what went wrong by stopping")]

mod common;

use std::collections::BTreeMap;

use common::shared;
use exchange::dsp::*;
use exchange::negotiation::State as NegotiationState;
use exchange::transfer::State as TransferState;
use exchange::{DetachedSignature, Refusal};
use proptest::prelude::*;
use serde_json::{Value, json};

/// Read a message of any type and write it again.
type Rewrite = fn(Value) -> Result<Value, MessageError>;

fn rewrite<T: Wire>(value: Value) -> Result<Value, MessageError> {
    parse_value::<T>(value).map(|message| to_value(&message))
}

/// Every root message: its schema, its example files, and how it is read.
const ROOTS: &[(&str, &[&str], Rewrite)] = &[
    ("common/protocol-version", &["common/protocol-version"], rewrite::<VersionResponse>),
    (
        "catalog/catalog-request-message",
        &["catalog/catalog-request-message"],
        rewrite::<CatalogRequestMessage>,
    ),
    (
        "catalog/dataset-request-message",
        &["catalog/dataset-request-message"],
        rewrite::<DatasetRequestMessage>,
    ),
    ("catalog/catalog", &["catalog/catalog", "catalog/nested-catalog"], rewrite::<Catalog>),
    ("catalog/dataset", &["catalog/dataset"], rewrite::<RootDataset>),
    ("catalog/catalog-error", &["catalog/catalog-error"], rewrite::<CatalogError>),
    (
        "negotiation/contract-request-message",
        &["negotiation/contract-request-message", "negotiation/contract-request-message_initial"],
        rewrite::<ContractRequestMessage>,
    ),
    (
        "negotiation/contract-offer-message",
        &["negotiation/contract-offer-message", "negotiation/contract-offer-message_initial"],
        rewrite::<ContractOfferMessage>,
    ),
    (
        "negotiation/contract-agreement-message",
        &["negotiation/contract-agreement-message", "negotiation/contract-agreement-message-full"],
        rewrite::<ContractAgreementMessage>,
    ),
    (
        "negotiation/contract-agreement-verification-message",
        &["negotiation/contract-agreement-verification-message"],
        rewrite::<ContractAgreementVerificationMessage>,
    ),
    (
        "negotiation/contract-negotiation-event-message",
        &["negotiation/contract-negotiation-event-message"],
        rewrite::<ContractNegotiationEventMessage>,
    ),
    (
        "negotiation/contract-negotiation-termination-message",
        &["negotiation/contract-negotiation-termination-message"],
        rewrite::<ContractNegotiationTerminationMessage>,
    ),
    (
        "negotiation/contract-negotiation",
        &["negotiation/contract-negotiation"],
        rewrite::<ContractNegotiation>,
    ),
    (
        "negotiation/contract-negotiation-error",
        &["negotiation/contract-negotiation-error"],
        rewrite::<ContractNegotiationError>,
    ),
    (
        "transfer/transfer-request-message",
        &["transfer/transfer-request-message"],
        rewrite::<TransferRequestMessage>,
    ),
    (
        "transfer/transfer-start-message",
        &["transfer/transfer-start-message"],
        rewrite::<TransferStartMessage>,
    ),
    (
        "transfer/transfer-suspension-message",
        &["transfer/transfer-suspension-message"],
        rewrite::<TransferSuspensionMessage>,
    ),
    (
        "transfer/transfer-completion-message",
        &["transfer/transfer-completion-message"],
        rewrite::<TransferCompletionMessage>,
    ),
    (
        "transfer/transfer-termination-message",
        &["transfer/transfer-termination-message"],
        rewrite::<TransferTerminationMessage>,
    ),
    ("transfer/transfer-process", &["transfer/transfer-process"], rewrite::<TransferProcess>),
    ("transfer/transfer-error", &["transfer/transfer-error"], rewrite::<TransferError>),
];

const FOLDERS: [&str; 4] = ["common", "catalog", "negotiation", "transfer"];

fn read_json(path: &std::path::Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// The official schemas, each ready to use, by the names of `ROOTS`.
struct Schemas(BTreeMap<String, jsonschema::Validator>);

impl Schemas {
    fn load() -> Option<Schemas> {
        let base = shared("vectors/dsp")?;
        let mut documents = BTreeMap::new();
        for folder in FOLDERS {
            for entry in std::fs::read_dir(base.join(folder)).unwrap() {
                let path = entry.unwrap().path();
                let file = path.file_name().unwrap().to_str().unwrap().to_owned();
                if let Some(name) = file.strip_suffix("-schema.json") {
                    documents.insert(format!("{folder}/{name}"), read_json(&path));
                }
            }
        }
        let mut registry = jsonschema::Registry::new();
        for document in documents.values() {
            registry = registry.add(document["$id"].as_str().unwrap(), document).unwrap();
        }
        let registry = registry.prepare().unwrap();
        let build =
            |document: &Value| jsonschema::options().with_registry(&registry).build(document).unwrap();
        Some(Schemas(documents.iter().map(|(name, document)| (name.clone(), build(document))).collect()))
    }

    /// The first complaint of a schema about a value.
    fn complaint(&self, name: &str, value: &Value) -> Option<String> {
        let error = self.0[name].iter_errors(value).next()?;
        Some(format!("{name} at `{}`: {error}\n{value:#}", error.instance_path()))
    }
}

#[test]
fn every_official_example_is_read_and_written_again_as_valid_as_it_was() {
    let (Some(schemas), Some(base)) = (Schemas::load(), shared("vectors/dsp")) else { return };
    let mut known = Vec::new();
    for (schema, examples, rewrite) in ROOTS {
        for example in *examples {
            let (folder, file) = example.split_once('/').unwrap();
            let value = read_json(&base.join(folder).join("example").join(format!("{file}.json")));
            assert_eq!(schemas.complaint(schema, &value), None, "the example itself");
            let written = rewrite(value.clone()).unwrap_or_else(|error| panic!("{example}: {error}"));
            assert_eq!(schemas.complaint(schema, &written), None);
            // Nothing is lost but an empty filter, which says nothing.
            let mut expected = value;
            if let Some(object) = expected.as_object_mut() {
                object.retain(|_, value| value != &json!([]));
            }
            assert_eq!(written, expected, "{example}");
            known.push(format!("{folder}/{file}.json"));
        }
    }
    let mut found = Vec::new();
    for folder in FOLDERS {
        for entry in std::fs::read_dir(base.join(folder).join("example")).unwrap() {
            let file = entry.unwrap().file_name().into_string().unwrap();
            // DID documents are no messages of ours.
            if !file.ends_with("did-service.json") {
                found.push(format!("{folder}/{file}"));
            }
        }
    }
    known.sort();
    found.sort();
    assert_eq!(known, found, "an example that no test reads");
}

#[test]
fn every_message_of_the_router_is_found_by_its_name() {
    let Some(base) = shared("vectors/dsp") else { return };
    let mut routed = 0;
    for (_, examples, rewrite) in ROOTS {
        for example in *examples {
            let (folder, file) = example.split_once('/').unwrap();
            let value = read_json(&base.join(folder).join("example").join(format!("{file}.json")));
            if file.contains("-message") {
                assert_eq!(Message::parse_value(value.clone()).unwrap().to_value(), rewrite(value).unwrap());
                routed += 1;
            } else {
                assert!(Message::parse_value(value).is_err(), "{example} is no request");
            }
        }
    }
    assert_eq!(routed, 16);
}

/// Whatever object stands in an example, without one of its due properties it is refused, by the schema and by us.
#[test]
fn an_example_without_a_property_that_is_due_is_refused_as_the_schema_does() {
    let (Some(schemas), Some(base)) = (Schemas::load(), shared("vectors/dsp")) else { return };
    let mut refused = 0;
    for (schema, examples, rewrite) in ROOTS {
        for example in *examples {
            let (folder, file) = example.split_once('/').unwrap();
            let value = read_json(&base.join(folder).join("example").join(format!("{file}.json")));
            for (pointer, key) in properties(&value, String::new()) {
                let mut less = value.clone();
                less.pointer_mut(&pointer).unwrap().as_object_mut().unwrap().remove(&key);
                if schemas.complaint(schema, &less).is_some() {
                    let error = rewrite(less).expect_err(&format!("{example} without {pointer}/{key}"));
                    assert!(error.to_string().contains("add it") || error.pointer().len() > 1, "{error}");
                    refused += 1;
                } else if let Ok(written) = rewrite(less) {
                    assert_eq!(
                        schemas.complaint(schema, &written),
                        None,
                        "{example} without {pointer}/{key}"
                    );
                }
            }
        }
    }
    assert!(refused > 100, "{refused} refusals only: the test lost its teeth");
}

fn properties(value: &Value, pointer: String) -> Vec<(String, String)> {
    match value {
        Value::Object(object) => object
            .iter()
            .flat_map(|(key, inner)| {
                let mut found = vec![(pointer.clone(), key.clone())];
                found.extend(properties(
                    inner,
                    format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1")),
                ));
                found
            })
            .collect(),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .flat_map(|(i, inner)| properties(inner, format!("{pointer}/{i}")))
            .collect(),
        _ => Vec::new(),
    }
}

fn id() -> impl Strategy<Value = Id> {
    "[a-zA-Z0-9:/._ é-]{0,20}x".prop_map(|text| Id::new(text).unwrap())
}

fn address() -> impl Strategy<Value = Address> {
    "https?://[a-z]{1,9}(:[0-9]{2,4})?(/[a-z0-9]{0,5}){0,3}".prop_map(|text| Address::new(text).unwrap())
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from)
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map("[a-z]{1,4}", inner, 0..3).prop_map(|map| json!(map)),
        ]
    })
}

fn extra() -> impl Strategy<Value = Extra> {
    prop::collection::vec(
        ("(urn:x:|dct:|dcat:)[a-z]{1,5}ZZ", json_value().prop_filter("null is absence", |v| !v.is_null())),
        0..3,
    )
    .prop_map(|pairs| {
        let mut extra = Extra::none();
        for (key, value) in pairs {
            extra.insert(key, value).unwrap();
        }
        extra
    })
}

fn constraint() -> impl Strategy<Value = Constraint> {
    use Operator::*;
    let operators = vec![Eq, Neq, Gt, Gteq, Lt, Lteq, HasPart, IsA, IsAllOf, IsAnyOf, IsNoneOf, IsPartOf];
    let right = json_value().prop_map(|value| match value {
        Value::String(_) | Value::Array(_) | Value::Object(_) => value,
        other => json!({ "@value": other }),
    });
    let atomic = (id(), prop::sample::select(operators), right, extra())
        .prop_map(|(left, operator, right, extra)| Constraint::Atomic { left, operator, right, extra });
    atomic.prop_recursive(2, 6, 2, |inner| {
        let logic = prop::sample::select(vec![Logic::And, Logic::AndSequence, Logic::Or, Logic::Xone]);
        (logic, prop::collection::vec(inner, 1..3), extra()).prop_map(|(logic, parts, extra)| {
            Constraint::Logical { logic, parts: NonEmpty::new(parts).unwrap(), extra }
        })
    })
}

fn rule() -> impl Strategy<Value = Rule> {
    (id(), prop::collection::vec(constraint(), 0..3), extra()).prop_map(|(action, constraint, extra)| Rule {
        action,
        constraint,
        extra,
    })
}

fn rules() -> impl Strategy<Value = RuleBody> {
    let list = |least: usize| prop::collection::vec(rule(), least..least + 2);
    let bodies =
        prop_oneof![(list(1), list(0), list(0)), (list(0), list(1), list(0)), (list(1), list(1), list(1))];
    (bodies, prop::option::of(id())).prop_map(|((permission, prohibition, obligation), profile)| {
        let rules = RuleBody::new(permission, prohibition, obligation).unwrap();
        match profile {
            Some(iri) => rules.with_profile(Profile::one(iri)),
            None => rules,
        }
    })
}

fn message_offer() -> impl Strategy<Value = MessageOffer> {
    (id(), id(), rules()).prop_map(|(id, target, rules)| MessageOffer { id, target, rules })
}

fn offer() -> impl Strategy<Value = Offer> {
    (id(), rules()).prop_map(|(id, rules)| Offer { id, rules })
}

fn agreement() -> impl Strategy<Value = Agreement> {
    let timestamp = prop::option::of((0_i64..4_000_000_000).prop_map(|at| Timestamp::from_unix(at).unwrap()));
    (id(), id(), id(), id(), timestamp, rules()).prop_map(
        |(id, target, assigner, assignee, timestamp, rules)| Agreement {
            id,
            target,
            assigner,
            assignee,
            timestamp,
            rules,
        },
    )
}

fn pids() -> impl Strategy<Value = Pids> {
    (id(), id()).prop_map(|(provider, consumer)| Pids { provider, consumer })
}

fn turn() -> impl Strategy<Value = Turn> {
    prop_oneof![
        address().prop_map(|callback_address| Turn::First { callback_address }),
        id().prop_map(|peer_pid| Turn::Next { peer_pid }),
    ]
}

fn cause() -> impl Strategy<Value = Cause> {
    let refusal = Refusal::new("purpose-missing", "Điều 20", "Thiếu mục đích.", "No purpose.").unwrap();
    prop_oneof![
        (prop::option::of(".{0,9}"), prop::collection::vec(json_value(), 0..3))
            .prop_map(|(code, reason)| Cause { code, reason }),
        Just(Cause::refusal(&refusal)),
    ]
}

fn signature() -> impl Strategy<Value = Option<DetachedSignature>> {
    prop::option::of(any::<u8>().prop_map(|byte| DetachedSignature::new("urn:a#k", &[byte; 64]).unwrap()))
}

fn service(depth: u32) -> BoxedStrategy<DataService> {
    let serves = match depth {
        0 => Just(Vec::new()).boxed(),
        _ => prop::collection::vec(dataset(depth - 1), 0..2).boxed(),
    };
    (id(), address(), serves, extra())
        .prop_map(|(id, endpoint_url, serves, extra)| DataService { id, endpoint_url, serves, extra })
        .boxed()
}

fn distribution(depth: u32) -> impl Strategy<Value = Distribution> {
    let access = prop_oneof![
        id().prop_map(AccessService::Reference),
        service(depth).prop_map(|service| AccessService::Embedded(Box::new(service))),
    ];
    (id(), access, prop::collection::vec(offer(), 0..2), extra()).prop_map(
        |(format, access_service, offers, extra)| Distribution { format, access_service, offers, extra },
    )
}

fn dataset(depth: u32) -> impl Strategy<Value = Dataset> {
    let offers = prop::collection::vec(offer(), 1..3);
    let distributions = prop::collection::vec(distribution(depth), 1..3);
    (id(), offers, distributions, extra()).prop_map(|(id, offers, distributions, extra)| Dataset {
        id,
        offers: NonEmpty::new(offers).unwrap(),
        distributions: NonEmpty::new(distributions).unwrap(),
        extra,
    })
}

fn content(depth: u32) -> BoxedStrategy<CatalogContent> {
    let catalogs = match depth {
        0 => Just(Vec::new()).boxed(),
        _ => prop::collection::vec(content(depth - 1), 0..2).boxed(),
    };
    let datasets = prop::collection::vec(dataset(depth), 0..2);
    let services = prop::collection::vec(service(depth), 0..2);
    let distributions = prop::collection::vec(distribution(0), 0..2);
    (id(), datasets, catalogs, services, distributions, extra())
        .prop_map(|(id, datasets, catalogs, services, distributions, extra)| CatalogContent {
            id,
            datasets,
            catalogs,
            services,
            distributions,
            extra,
        })
        .boxed()
}

fn data_address() -> impl Strategy<Value = DataAddress> {
    let property = ("[a-zA-Z]{1,9}", "[ -~]{0,20}")
        .prop_map(|(name, value)| EndpointProperty::new(&name, &value).unwrap());
    (id(), prop::option::of(address()), prop::collection::vec(property, 0..3), extra()).prop_map(
        |(endpoint_type, endpoint, properties, extra)| DataAddress {
            endpoint_type,
            endpoint,
            properties,
            extra,
        },
    )
}

fn transfer_request() -> impl Strategy<Value = TransferRequestMessage> {
    let query = prop::option::of(prop::collection::btree_map("[a-z]{1,6}", json_value(), 0..4));
    (id(), id(), id(), address(), prop::option::of(data_address()), query, extra()).prop_map(
        |(consumer, agreement, format, callback, data_address, query, extra)| {
            let mut message = TransferRequestMessage::pull(consumer, agreement, format, callback);
            message.data_address = data_address;
            message.extra = extra;
            if let Some(query) = query {
                message.set_query(json!(query)).unwrap();
            }
            message
        },
    )
}

fn version() -> impl Strategy<Value = VersionResponse> {
    let text = || "[a-z0-9-]{1,8}";
    let auth = (text(), text(), prop::collection::vec(text(), 0..3))
        .prop_map(|(protocol, version, profile)| VersionAuth { protocol, version, profile });
    let version = (
        text(),
        "/[a-z0-9/]{0,9}",
        prop::option::of(text()),
        prop::option::of(text()),
        prop::option::of(auth),
        extra(),
    )
        .prop_map(|(version, path, service_id, identifier_type, auth, extra)| Version {
            version,
            path,
            service_id,
            identifier_type,
            auth,
            extra,
        });
    (prop::collection::vec(version, 1..3), extra()).prop_map(|(versions, extra)| VersionResponse {
        protocol_versions: NonEmpty::new(versions).unwrap(),
        extra,
    })
}

/// The schema of a value, the value as written, and the value as written after being read.
type Written = (&'static str, Value, Result<Value, MessageError>);

fn written<T: Wire>(schema: &'static str, message: &T) -> Written {
    let bytes = to_bytes(message).unwrap();
    (schema, to_value(message), parse::<T>(&bytes).map(|read| to_value(&read)))
}

/// One of the messages that carry pids and a cause.
macro_rules! caused {
    ($schema:literal, $name:ident) => {
        (pids(), cause(), extra())
            .prop_map(|(pids, cause, extra)| written($schema, &$name { pids, cause, extra }))
            .boxed()
    };
}

fn negotiation_messages() -> impl Strategy<Value = Written> {
    let states = prop::sample::select(&NegotiationState::ALL[..]);
    let events = prop::sample::select(vec![Event::Accepted, Event::Finalized]);
    prop_oneof![
        (id(), turn(), message_offer(), extra()).prop_map(|(consumer_pid, turn, offer, extra)| written(
            "negotiation/contract-request-message",
            &ContractRequestMessage { consumer_pid, turn, offer, extra },
        )),
        (id(), turn(), message_offer(), extra()).prop_map(|(provider_pid, turn, offer, extra)| written(
            "negotiation/contract-offer-message",
            &ContractOfferMessage { provider_pid, turn, offer, extra },
        )),
        (pids(), agreement(), signature(), extra()).prop_map(|(pids, agreement, signature, extra)| written(
            "negotiation/contract-agreement-message",
            &ContractAgreementMessage { pids, agreement, signature, extra },
        )),
        (pids(), signature(), extra()).prop_map(|(pids, signature, extra)| written(
            "negotiation/contract-agreement-verification-message",
            &ContractAgreementVerificationMessage { pids, signature, extra },
        )),
        (pids(), events, extra()).prop_map(|(pids, event, extra)| written(
            "negotiation/contract-negotiation-event-message",
            &ContractNegotiationEventMessage { pids, event, extra },
        )),
        (pids(), states, extra()).prop_map(|(pids, state, extra)| written(
            "negotiation/contract-negotiation",
            &ContractNegotiation { pids, state, extra },
        )),
        caused!(
            "negotiation/contract-negotiation-termination-message",
            ContractNegotiationTerminationMessage
        ),
        caused!("negotiation/contract-negotiation-error", ContractNegotiationError),
    ]
}

fn transfer_messages() -> impl Strategy<Value = Written> {
    let states = prop::sample::select(&TransferState::ALL[..]);
    prop_oneof![
        transfer_request().prop_map(|message| written("transfer/transfer-request-message", &message)),
        (pids(), prop::option::of(data_address()), extra()).prop_map(|(pids, data_address, extra)| written(
            "transfer/transfer-start-message",
            &TransferStartMessage { pids, data_address, extra },
        )),
        (pids(), extra()).prop_map(|(pids, extra)| written(
            "transfer/transfer-completion-message",
            &TransferCompletionMessage { pids, extra },
        )),
        (pids(), states, extra()).prop_map(|(pids, state, extra)| written(
            "transfer/transfer-process",
            &TransferProcess { pids, state, extra },
        )),
        caused!("transfer/transfer-suspension-message", TransferSuspensionMessage),
        caused!("transfer/transfer-termination-message", TransferTerminationMessage),
        caused!("transfer/transfer-error", TransferError),
    ]
}

fn catalog_messages() -> impl Strategy<Value = Written> {
    prop_oneof![
        (prop::collection::vec(json_value(), 0..3), extra()).prop_map(|(filter, extra)| written(
            "catalog/catalog-request-message",
            &CatalogRequestMessage { filter, extra },
        )),
        (id(), extra()).prop_map(|(dataset, extra)| written(
            "catalog/dataset-request-message",
            &DatasetRequestMessage { dataset, extra },
        )),
        (id(), content(1)).prop_map(|(participant_id, content)| written(
            "catalog/catalog",
            &Catalog { participant_id, content },
        )),
        dataset(1).prop_map(|dataset| written("catalog/dataset", &RootDataset(dataset))),
        (cause(), extra())
            .prop_map(|(cause, extra)| written("catalog/catalog-error", &CatalogError { cause, extra })),
        version().prop_map(|message| written("common/protocol-version", &message)),
    ]
}

#[test]
fn whatever_we_write_is_valid_and_reads_back_the_same() {
    let Some(schemas) = Schemas::load() else { return };
    let mut seen = std::collections::BTreeSet::new();
    let config = ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() };
    let messages = prop_oneof![negotiation_messages(), transfer_messages(), catalog_messages()];
    let mut runner = proptest::test_runner::TestRunner::new(config);
    let seen_cell = std::cell::RefCell::new(&mut seen);
    let result = runner.run(&messages, |(schema, value, again)| {
        seen_cell.borrow_mut().insert(schema);
        prop_assert_eq!(schemas.complaint(schema, &value), None);
        prop_assert_eq!(again.map_err(|error| error.to_string()), Ok(value));
        Ok(())
    });
    result.unwrap();
    assert_eq!(seen.len(), ROOTS.len(), "every root message was tried");
}
