//! The transfer: the standard's table, whole, and the record that walks it.

#![allow(clippy::unwrap_used, reason = "a test says what went wrong by stopping")]

mod common;

use common::{data_address, id, local, pid, pids, transfer_message};
use exchange::Role;
use exchange::dsp::{Cause, TransferMessage};
use exchange::ends::WrongPid;
use exchange::transfer::{Effect, Kind, State, StepError, Transfer, next};
use proptest::prelude::*;

/// The standard's table (transfer process protocol), written down a second time: from, by provider, by consumer, to.
const TABLE: &[(Option<State>, Kind, bool, bool, State)] = &[
    (None, Kind::Request, false, true, State::Requested),
    (Some(State::Requested), Kind::Start, true, false, State::Started),
    (Some(State::Requested), Kind::Termination, true, true, State::Terminated),
    (Some(State::Started), Kind::Completion, true, true, State::Completed),
    (Some(State::Started), Kind::Suspension, true, true, State::Suspended),
    (Some(State::Started), Kind::Termination, true, true, State::Terminated),
    (Some(State::Suspended), Kind::Start, true, true, State::Started),
    (Some(State::Suspended), Kind::Termination, true, true, State::Terminated),
];

fn wanted(state: Option<State>, sender: Role, kind: Kind) -> Option<State> {
    let row = TABLE.iter().find(|(from, known, ..)| *from == state && *known == kind)?;
    let by = if sender == Role::Provider { row.2 } else { row.3 };
    by.then_some(row.4)
}

#[test]
fn every_state_sender_and_message_is_as_the_table_says() {
    let mut allowed = 0;
    for state in [None].into_iter().chain(State::ALL.map(Some)) {
        for sender in Role::ALL {
            for kind in Kind::ALL {
                let found = next(state, sender, kind);
                assert_eq!(found.ok(), wanted(state, sender, kind), "{state:?} {sender} {kind:?}");
                allowed += usize::from(found.is_ok());
            }
        }
    }
    assert_eq!(allowed, 14, "rows of the table, by sender");
}

fn requested(role: Role) -> Transfer {
    let step = Transfer::open(local(role), Role::Consumer, &transfer_message(Kind::Request, 0), 100).unwrap();
    step.record.learn_peer_pid(&pid(role.other())).unwrap()
}

/// A record in a state, by the shortest way, seen by `role`.
fn record_in(state: State, role: Role) -> Transfer {
    let way: &[Kind] = match state {
        State::Requested => &[],
        State::Started => &[Kind::Start],
        State::Suspended => &[Kind::Start, Kind::Suspension],
        State::Completed => &[Kind::Start, Kind::Completion],
        State::Terminated => &[Kind::Termination],
    };
    let walked = way.iter().fold(requested(role), |record, kind| {
        record.apply(Role::Provider, &transfer_message(*kind, 0), 101).unwrap().record
    });
    assert_eq!(walked.state(), state);
    walked
}

#[test]
fn the_record_follows_the_table_in_both_roles_and_changes_nothing_on_refusal() {
    for role in Role::ALL {
        for state in State::ALL {
            let record = record_in(state, role);
            for sender in Role::ALL {
                for kind in Kind::ALL {
                    let step = record.apply(sender, &transfer_message(kind, 7), 200);
                    match (wanted(Some(state), sender, kind), step) {
                        (Some(to), Ok(step)) => {
                            assert_eq!((step.record.state(), step.record.updated()), (to, 200))
                        }
                        (None, Ok(step)) => {
                            assert_eq!(
                                step.effects,
                                [Effect::Repeated, Effect::Answer],
                                "{state} {sender} {kind:?}"
                            );
                            assert_eq!(step.record, record);
                            assert_eq!((record.last().sender, record.last().kind), (sender, kind));
                        }
                        (None, Err(StepError::PidReused { .. })) => assert_eq!(kind, Kind::Request),
                        (None, Err(StepError::OutOfTurn(refusal))) => assert_eq!(refusal.state, Some(state)),
                        (wanted, found) => panic!("{state} {sender} {kind:?}: {wanted:?}, {found:?}"),
                    }
                }
            }
        }
    }
}

#[test]
fn a_request_is_idempotent_on_its_pid_in_every_state() {
    for state in State::ALL {
        let record = record_in(state, Role::Provider);
        let again = record.receive(&transfer_message(Kind::Request, 0), 300).unwrap();
        assert_eq!((again.effects, again.record), (vec![Effect::Repeated, Effect::Answer], record.clone()));
        let other = record.receive(&transfer_message(Kind::Request, 1), 300);
        assert!(matches!(other, Err(StepError::PidReused { .. })), "{state}: {other:?}");
    }
}

#[test]
fn a_pull_tells_each_side_what_to_do() {
    let request = transfer_message(Kind::Request, 0);
    let provider = Transfer::open(local(Role::Provider), Role::Consumer, &request, 1).unwrap();
    assert_eq!(provider.effects, [Effect::Answer, Effect::DecideRequest]);
    let consumer = Transfer::open(local(Role::Consumer), Role::Consumer, &request, 1).unwrap();
    assert_eq!((consumer.effects, consumer.record.view()), (vec![], None));

    // The start overtakes the answer to the request.
    let start = transfer_message(Kind::Start, 0);
    let started = consumer.record.receive(&start, 2).unwrap();
    assert_eq!(started.effects, [Effect::Answer, Effect::Fetch]);
    assert_eq!(started.record.ends().pids(), Some(pids()));
    assert_eq!(started.record.data_address().unwrap().bearer_token(), Some("secret-token"));
    let sent = provider.record.send(&start, 2).unwrap();
    assert_eq!(sent.effects, []);

    let completed = sent.record.receive(&transfer_message(Kind::Completion, 0), 3).unwrap();
    assert_eq!(completed.effects, [Effect::Answer, Effect::Done]);
    assert_eq!(completed.record.data_address(), None, "the token is forgotten at the end");
}

#[test]
fn a_consumer_that_resumes_makes_the_provider_decide_again_and_changes_no_address() {
    for who in Role::ALL {
        let suspended =
            record_in(State::Started, Role::Provider).apply(who, &transfer_message(Kind::Suspension, 0), 5);
        let suspended = suspended.unwrap();
        assert_eq!(suspended.record.suspended_by(), Some(who));
        assert!(suspended.effects.contains(&Effect::Pause));
        let TransferMessage::Start(mut resume) = transfer_message(Kind::Start, 0) else {
            panic!("not a start")
        };
        resume.data_address.as_mut().unwrap().endpoint = Some(common::address("https://evil.example"));
        let resumed = suspended.record.receive(&resume.into(), 6).unwrap();
        assert_eq!(resumed.effects, [Effect::Answer, Effect::DecideResume]);
        assert_eq!(resumed.record.data_address(), Some(&data_address()));
        assert_eq!(resumed.record.suspended_by(), None);
    }
}

#[test]
fn pids_of_another_transfer_are_refused() {
    let record = record_in(State::Started, Role::Provider);
    for which in Role::ALL {
        let TransferMessage::Completion(mut message) = transfer_message(Kind::Completion, 0) else {
            panic!("not a completion")
        };
        match which {
            Role::Provider => message.pids.provider = id("urn:else"),
            Role::Consumer => message.pids.consumer = id("urn:else"),
        }
        let refused = record.receive(&message.into(), 5).unwrap_err();
        assert!(
            matches!(&refused, StepError::WrongPid(WrongPid { which: found, .. }) if *found == which),
            "{refused}"
        );
    }
}

#[test]
fn a_token_is_stored_but_never_shown() {
    let record = record_in(State::Started, Role::Consumer);
    assert!(!format!("{record:?}").contains("secret-token"));
    let stored = serde_json::to_string(&record).unwrap();
    assert!(stored.contains("secret-token"));
    assert_eq!(serde_json::from_str::<Transfer>(&stored).unwrap(), record);
}

#[test]
fn giving_up_needs_a_living_transfer() {
    let given_up = requested(Role::Consumer).give_up(Cause::plain("unreachable", "gone"), 9).unwrap();
    assert_eq!(given_up.state(), State::Terminated);
    assert!(given_up.give_up(Cause::default(), 10).is_err());
}

proptest! {
    #[test]
    fn random_walks_never_leave_the_table(
        role in prop::sample::select(&Role::ALL[..]),
        steps in prop::collection::vec(
            (prop::sample::select(&Role::ALL[..]), prop::sample::select(&Kind::ALL[..]), 0_u32..3),
            0..40,
        ),
    ) {
        let mut record = requested(role);
        for (now, (sender, kind, mark)) in (1..).zip(steps) {
            let before = record.clone();
            match record.apply(sender, &transfer_message(kind, mark), now) {
                Ok(step) if step.effects.contains(&Effect::Repeated) => prop_assert_eq!(&step.record, &before),
                Ok(step) => {
                    prop_assert_eq!(wanted(Some(before.state()), sender, kind), Some(step.record.state()));
                    prop_assert!(!before.state().is_final());
                    record = step.record;
                }
                Err(StepError::OutOfTurn(_)) => {
                    prop_assert_eq!(wanted(Some(before.state()), sender, kind), None);
                }
                Err(StepError::PidReused { .. }) => prop_assert_eq!(kind, Kind::Request),
                Err(other) => prop_assert!(false, "{other}"),
            }
        }
    }
}
