//! What several tests of this crate need: the shared files, and messages with made-up contents.
#![allow(
    dead_code,
    clippy::unwrap_used,
    reason = "each test program uses its own part; a test stops where it fails"
)]

use std::path::{Path, PathBuf};

use exchange::dsp::{
    Cause, ContractAgreementMessage, ContractAgreementVerificationMessage, ContractNegotiationEventMessage,
    ContractNegotiationTerminationMessage, ContractOfferMessage, ContractRequestMessage, DataAddress, Event,
    Extra, MessageOffer, NegotiationMessage, Pids, TransferCompletionMessage, TransferMessage,
    TransferRequestMessage, TransferStartMessage, TransferSuspensionMessage, TransferTerminationMessage,
    Turn,
};
use exchange::ends::{Local, Parties};
use exchange::negotiation::Kind;
use exchange::terms::Terms;
use exchange::{Address, Id, Role};

/// A file or folder of the shared vectors: under `$TRAM_SHARED`, or beside the repository.
pub fn shared(path: &str) -> Option<PathBuf> {
    let base = match std::env::var_os("TRAM_SHARED") {
        Some(base) => PathBuf::from(base),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"),
    };
    let path = base.join(path);
    if path.exists() {
        return Some(path);
    }
    println!("skipped: `{}` is not there", path.display());
    None
}

pub fn id(text: &str) -> Id {
    Id::new(text).unwrap()
}

pub fn address(text: &str) -> Address {
    Address::new(text).unwrap()
}

pub const PROVIDER_PID: &str = "urn:uuid:a343fcbf-99fc-4ce8-8e9b-148c97605aab";
pub const CONSUMER_PID: &str = "urn:uuid:32541fe6-c580-409e-85a8-8a9a32fbe833";

pub fn pids() -> Pids {
    Pids { provider: id(PROVIDER_PID), consumer: id(CONSUMER_PID) }
}

pub fn pid(role: Role) -> Id {
    match role {
        Role::Provider => pids().provider,
        Role::Consumer => pids().consumer,
    }
}

pub fn parties() -> Parties {
    Parties { provider: id("urn:agency:vn:hanoi-env"), consumer: id("urn:agency:vn:hanoi-ops") }
}

pub fn local(role: Role) -> Local {
    Local { role, parties: parties(), pid: pid(role) }
}

pub fn offer(mark: u32) -> MessageOffer {
    let terms = Terms { purposes: vec![id("pu:environment")], ..Terms::default() };
    MessageOffer {
        id: id(&format!("urn:tram:offer:{mark}")),
        target: id("urn:agency:vn:hanoi-env/air-hourly"),
        rules: terms.to_rules().unwrap(),
    }
}

fn cause(mark: u32) -> Cause {
    Cause::plain("test", &format!("number {mark}"))
}

/// A well-formed message of a kind, about the negotiation of these tests. `mark` makes two of one kind differ where the
/// protocol leaves room; an agreement always fits `offer(on_table)`.
pub fn negotiation_message(kind: Kind, first: bool, mark: u32, on_table: u32) -> NegotiationMessage {
    let extra = Extra::none();
    let turn = |peer: Role| match first {
        true => Turn::First { callback_address: address("https://peer.example/dsp") },
        false => Turn::Next { peer_pid: pid(peer) },
    };
    let event = |event| ContractNegotiationEventMessage { pids: pids(), event, extra: Extra::none() }.into();
    match kind {
        Kind::Request => {
            let (consumer_pid, offer) = (pid(Role::Consumer), offer(mark));
            ContractRequestMessage { consumer_pid, turn: turn(Role::Provider), offer, extra }.into()
        }
        Kind::Offer => {
            let (provider_pid, offer) = (pid(Role::Provider), offer(mark));
            ContractOfferMessage { provider_pid, turn: turn(Role::Consumer), offer, extra }.into()
        }
        Kind::Agreement => {
            let agreement = exchange::dsp::Agreement::from_offer(
                &offer(on_table),
                id(&format!("urn:tram:agreement:{mark}")),
                &parties(),
                1_790_000_000,
            );
            let agreement = agreement.unwrap();
            ContractAgreementMessage { pids: pids(), agreement, signature: None, extra }.into()
        }
        Kind::Verification => {
            ContractAgreementVerificationMessage { pids: pids(), signature: None, extra }.into()
        }
        Kind::Accepted => event(Event::Accepted),
        Kind::Finalized => event(Event::Finalized),
        Kind::Termination => {
            ContractNegotiationTerminationMessage { pids: pids(), cause: cause(mark), extra }.into()
        }
    }
}

pub fn data_address() -> DataAddress {
    let endpoint = address("https://provider.example/data/1");
    DataAddress::bearer(id("urn:tram:ns:chunks"), endpoint, "secret-token").unwrap()
}

/// A well-formed message of a kind, about the transfer of these tests.
pub fn transfer_message(kind: exchange::transfer::Kind, mark: u32) -> TransferMessage {
    use exchange::transfer::Kind;
    let extra = Extra::none();
    match kind {
        Kind::Request => {
            let callback = address(&format!("https://peer.example/dsp/{mark}"));
            let (agreement, format) = (id("urn:tram:agreement:1"), id("HttpData-PULL"));
            TransferRequestMessage::pull(pid(Role::Consumer), agreement, format, callback).into()
        }
        Kind::Start => {
            TransferStartMessage { pids: pids(), data_address: Some(data_address()), extra }.into()
        }
        Kind::Suspension => TransferSuspensionMessage { pids: pids(), cause: cause(mark), extra }.into(),
        Kind::Completion => TransferCompletionMessage { pids: pids(), extra }.into(),
        Kind::Termination => TransferTerminationMessage { pids: pids(), cause: cause(mark), extra }.into(),
    }
}
