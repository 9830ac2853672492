//! The negotiation: the standard's table, whole, and the record that walks it.

#![allow(clippy::unwrap_used, reason = "a test says what went wrong by stopping")]

mod common;

use common::{address, id, local, negotiation_message, offer, parties, pid, pids};
use exchange::Role;
use exchange::dsp::{Cause, ContractRequestMessage, Extra, NegotiationMessage, Turn};
use exchange::ends::WrongPid;
use exchange::negotiation::{Effect, Kind, Negotiation, Seen, State, StepError, next};
use proptest::prelude::*;

/// What a state takes: from whom, and where it leads.
type Rows = (Option<State>, &'static [(Kind, Role, State)]);

/// The standard's table (contract negotiation protocol), written down a second time and in another form.
const TABLE: &[Rows] = {
    use Role::{Consumer as C, Provider as P};
    &[
        (None, &[(Kind::Request, C, State::Requested), (Kind::Offer, P, State::Offered)]),
        (
            Some(State::Requested),
            &[
                (Kind::Offer, P, State::Offered),
                (Kind::Agreement, P, State::Agreed),
                (Kind::Termination, C, State::Terminated),
                (Kind::Termination, P, State::Terminated),
            ],
        ),
        (
            Some(State::Offered),
            &[
                (Kind::Request, C, State::Requested),
                (Kind::Accepted, C, State::Accepted),
                (Kind::Termination, C, State::Terminated),
                (Kind::Termination, P, State::Terminated),
            ],
        ),
        (
            Some(State::Accepted),
            &[
                (Kind::Agreement, P, State::Agreed),
                (Kind::Termination, C, State::Terminated),
                (Kind::Termination, P, State::Terminated),
            ],
        ),
        (
            Some(State::Agreed),
            &[
                (Kind::Verification, C, State::Verified),
                (Kind::Termination, C, State::Terminated),
                (Kind::Termination, P, State::Terminated),
            ],
        ),
        (
            Some(State::Verified),
            &[
                (Kind::Finalized, P, State::Finalized),
                (Kind::Termination, C, State::Terminated),
                (Kind::Termination, P, State::Terminated),
            ],
        ),
        (Some(State::Finalized), &[]),
        (Some(State::Terminated), &[]),
    ]
};

fn wanted(state: Option<State>, sender: Role, kind: Kind) -> Option<State> {
    let (_, rows) = TABLE.iter().find(|(from, _)| *from == state).unwrap();
    rows.iter().find(|(known, by, _)| *known == kind && *by == sender).map(|(_, _, to)| *to)
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
                if let Err(refusal) = found {
                    assert_eq!((refusal.state, refusal.sender, refusal.message), (state, sender, kind));
                }
            }
        }
    }
    assert_eq!(allowed, 19, "rows of the table, by sender");
}

/// A record in a state, by the shortest way, seen by `role`.
fn record_in(state: State, role: Role) -> Negotiation {
    let way: &[(Role, Kind)] = match state {
        State::Requested => &[],
        State::Offered => &[(Role::Provider, Kind::Offer)],
        State::Accepted => &[(Role::Provider, Kind::Offer), (Role::Consumer, Kind::Accepted)],
        State::Agreed => &[(Role::Provider, Kind::Agreement)],
        State::Verified => &[(Role::Provider, Kind::Agreement), (Role::Consumer, Kind::Verification)],
        State::Finalized => &[
            (Role::Provider, Kind::Agreement),
            (Role::Consumer, Kind::Verification),
            (Role::Provider, Kind::Finalized),
        ],
        State::Terminated => &[(Role::Provider, Kind::Termination)],
    };
    let first = negotiation_message(Kind::Request, true, 0, 0);
    let mut record = Negotiation::open(local(role), Role::Consumer, &first, 100).unwrap().record;
    record = record.learn_peer_pid(&pid(role.other())).unwrap();
    for (sender, kind) in way {
        record = record.apply(*sender, &negotiation_message(*kind, false, 0, 0), 101).unwrap().record;
    }
    assert_eq!(record.state(), state);
    record
}

#[test]
fn the_record_follows_the_table_in_both_roles_and_changes_nothing_on_refusal() {
    for role in Role::ALL {
        for state in State::ALL {
            let record = record_in(state, role);
            for sender in Role::ALL {
                for kind in Kind::ALL {
                    // Another mark than the way here, so that nothing counts as repeated but the messages without contents.
                    let message = negotiation_message(kind, false, 7, 0);
                    let step = record.apply(sender, &message, 200);
                    match (wanted(Some(state), sender, kind), step) {
                        (Some(to), Ok(step)) => {
                            assert_eq!(step.record.state(), to);
                            assert_eq!(step.record.updated(), 200);
                            assert_eq!(step.record.seen().len(), record.seen().len() + 1);
                        }
                        (None, Ok(step)) => {
                            assert_eq!(
                                step.effects,
                                [Effect::Repeated, Effect::Answer],
                                "{state} {sender} {kind:?}"
                            );
                            assert_eq!(step.record, record);
                            let last: &Seen = record.seen().last().unwrap();
                            assert_eq!((last.sender, last.kind), (sender, kind));
                        }
                        (None, Err(StepError::OutOfTurn(refusal))) => {
                            assert_eq!((refusal.state, refusal.message), (Some(state), kind));
                        }
                        (wanted, found) => panic!("{state} {sender} {kind:?}: {wanted:?}, {found:?}"),
                    }
                }
            }
        }
    }
}

#[test]
fn a_whole_negotiation_tells_each_side_what_to_do() {
    let walk = [
        (Role::Provider, Kind::Offer, vec![], vec![Effect::Answer, Effect::DecideOffer]),
        (Role::Consumer, Kind::Accepted, vec![Effect::Answer, Effect::IssueAgreement], vec![]),
        (Role::Provider, Kind::Agreement, vec![], vec![Effect::Answer, Effect::ConfirmAgreement]),
        (Role::Consumer, Kind::Verification, vec![Effect::Answer, Effect::Finalize], vec![]),
        (Role::Provider, Kind::Finalized, vec![Effect::InForce], vec![Effect::Answer, Effect::InForce]),
    ];
    let first = negotiation_message(Kind::Request, true, 0, 0);
    let step = Negotiation::open(local(Role::Provider), Role::Consumer, &first, 1).unwrap();
    assert_eq!(step.effects, [Effect::Answer, Effect::DecideRequest]);
    let mut provider = step.record;
    assert_eq!(provider.callback_address(), Some(&address("https://peer.example/dsp")));
    let step = Negotiation::open(local(Role::Consumer), Role::Consumer, &first, 1).unwrap();
    assert_eq!(step.effects, []);
    let mut consumer = step.record;
    assert_eq!((consumer.view(), consumer.callback_address()), (None, None));
    consumer = consumer.learn_peer_pid(&provider.view().unwrap().pids.provider).unwrap();

    for (sender, kind, at_provider, at_consumer) in walk {
        let message = negotiation_message(kind, false, 0, 0);
        let step = provider.apply(sender, &message, 2).unwrap();
        assert_eq!(step.effects, at_provider, "{kind:?} at the provider");
        provider = step.record;
        let step = consumer.apply(sender, &message, 2).unwrap();
        assert_eq!(step.effects, at_consumer, "{kind:?} at the consumer");
        consumer = step.record;
        assert_eq!(provider.view(), consumer.view());
    }
    assert_eq!(provider.state(), State::Finalized);
    assert_eq!(consumer.agreement(), provider.agreement());
    assert_eq!(consumer.agreement().unwrap().rules, offer(0).rules);
}

#[test]
fn a_message_that_comes_again_is_answered_without_a_change() {
    let agreed = record_in(State::Agreed, Role::Consumer);
    let again = agreed.receive(&negotiation_message(Kind::Agreement, false, 0, 0), 300).unwrap();
    assert_eq!((again.effects, again.record), (vec![Effect::Repeated, Effect::Answer], agreed.clone()));
    // Another agreement in the same state is not a repetition.
    assert!(agreed.receive(&negotiation_message(Kind::Agreement, false, 1, 0), 300).is_err());
    // The same message after the state has moved on is out of turn.
    let verified = agreed.send(&negotiation_message(Kind::Verification, false, 0, 0), 301).unwrap().record;
    assert!(verified.receive(&negotiation_message(Kind::Agreement, false, 0, 0), 302).is_err());
}

#[test]
fn the_first_request_may_come_again_at_any_time_but_not_with_other_contents() {
    for state in State::ALL {
        let record = record_in(state, Role::Provider);
        let again = record.receive(&negotiation_message(Kind::Request, true, 0, 0), 300).unwrap();
        assert_eq!((again.effects, again.record), (vec![Effect::Repeated, Effect::Answer], record.clone()));
        let other = record.receive(&negotiation_message(Kind::Request, true, 1, 0), 300);
        assert!(matches!(other, Err(StepError::PidReused { .. })), "{state}: {other:?}");
    }
}

#[test]
fn a_second_counter_offer_without_an_offer_in_between_is_refused_even_when_equal() {
    let offered = record_in(State::Offered, Role::Provider);
    let counter = negotiation_message(Kind::Request, false, 1, 0);
    let requested = offered.receive(&counter, 10).unwrap().record;
    assert_eq!((requested.state(), requested.offer()), (State::Requested, &offer(1)));
    assert!(matches!(requested.receive(&counter, 11), Err(StepError::OutOfTurn(_))));
}

#[test]
fn only_the_right_first_message_opens() {
    for kind in Kind::ALL {
        for sender in Role::ALL {
            for first in [true, false] {
                let message = negotiation_message(kind, first, 0, 0);
                let opened = Negotiation::open(local(Role::Provider), sender, &message, 1).is_ok();
                let right =
                    matches!((kind, sender), (Kind::Request, Role::Consumer) | (Kind::Offer, Role::Provider));
                assert_eq!(opened, right && first, "{kind:?} {sender} {first}");
            }
        }
    }
    let mut stranger = local(Role::Consumer);
    stranger.pid = id("urn:else");
    let message = negotiation_message(Kind::Request, true, 0, 0);
    assert!(matches!(
        Negotiation::open(stranger, Role::Consumer, &message, 1),
        Err(StepError::WrongPid { .. })
    ));
}

#[test]
fn pids_of_another_negotiation_are_refused() {
    let record = record_in(State::Agreed, Role::Provider);
    for which in Role::ALL {
        let NegotiationMessage::Verification(mut message) =
            negotiation_message(Kind::Verification, false, 0, 0)
        else {
            panic!("not a verification")
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
fn a_peer_faster_than_its_own_answer_is_understood_once() {
    let first = negotiation_message(Kind::Request, true, 0, 0);
    let record = Negotiation::open(local(Role::Consumer), Role::Consumer, &first, 1).unwrap().record;
    let offered = record.receive(&negotiation_message(Kind::Offer, false, 3, 0), 2).unwrap().record;
    assert_eq!(offered.ends().pids(), Some(pids()));
    assert!(offered.learn_peer_pid(&id("urn:else")).is_err());
    assert_eq!(offered.learn_peer_pid(&pid(Role::Provider)).unwrap(), offered);
    // We cannot name a pid that we do not know.
    let own = ContractRequestMessage {
        consumer_pid: pid(Role::Consumer),
        turn: Turn::Next { peer_pid: pid(Role::Provider) },
        offer: offer(1),
        extra: Extra::none(),
    };
    assert!(matches!(record.send(&own.into(), 3), Err(StepError::WrongPid { .. })));
}

#[test]
fn an_agreement_that_is_not_the_offer_changes_nothing() {
    let record = record_in(State::Requested, Role::Consumer);
    let NegotiationMessage::Agreement(mut message) = negotiation_message(Kind::Agreement, false, 0, 0) else {
        panic!("not an agreement")
    };
    message.agreement.assignee = parties().provider;
    assert!(matches!(record.receive(&message.clone().into(), 2), Err(StepError::Agreement(_))));
    message.agreement.assignee = parties().consumer;
    assert!(record.receive(&message.into(), 2).is_ok());
}

#[test]
fn endless_haggling_ends() {
    let mut record = record_in(State::Offered, Role::Provider);
    let mut mark = 1;
    let refused = loop {
        mark += 1;
        let (sender, kind) = match record.state() {
            State::Offered => (Role::Consumer, Kind::Request),
            _ => (Role::Provider, Kind::Offer),
        };
        match record.apply(sender, &negotiation_message(kind, false, mark, 0), 1) {
            Ok(step) => record = step.record,
            Err(refused) => break refused,
        }
    };
    assert_eq!((refused, record.seen().len()), (StepError::TooLong, exchange::limits::NEGOTIATION_STEPS_MAX));
    assert!(record.receive(&negotiation_message(Kind::Termination, false, 0, 0), 1).is_ok());
}

#[test]
fn a_record_survives_being_stored_and_refuses_unknown_fields() {
    let record = record_in(State::Terminated, Role::Consumer);
    let mut stored = serde_json::to_value(&record).unwrap();
    assert_eq!(serde_json::from_value::<Negotiation>(stored.clone()).unwrap(), record);
    stored.as_object_mut().unwrap().insert("surplus".into(), 1.into());
    assert!(serde_json::from_value::<Negotiation>(stored).is_err());
}

#[test]
fn giving_up_needs_a_living_negotiation() {
    let given_up =
        record_in(State::Requested, Role::Consumer).give_up(Cause::plain("unreachable", "gone"), 9).unwrap();
    assert_eq!((given_up.state(), given_up.updated()), (State::Terminated, 9));
    assert!(given_up.give_up(Cause::default(), 10).is_err());
}

proptest! {
    #[test]
    fn random_walks_never_leave_the_table(
        role in prop::sample::select(&Role::ALL[..]),
        steps in prop::collection::vec(
            (prop::sample::select(&Role::ALL[..]), prop::sample::select(&Kind::ALL[..]), any::<bool>(), 0_u32..3),
            0..40,
        ),
    ) {
        let first = negotiation_message(Kind::Request, true, 0, 0);
        let mut record = Negotiation::open(local(role), Role::Consumer, &first, 0).unwrap().record;
        record = record.learn_peer_pid(&pid(role.other())).unwrap();
        let mut on_table = 0;
        for (now, (sender, kind, opening, mark)) in (1..).zip(steps) {
            let message = negotiation_message(kind, opening, mark, on_table);
            let before = record.clone();
            match record.apply(sender, &message, now) {
                Ok(step) if step.effects.contains(&Effect::Repeated) => prop_assert_eq!(&step.record, &before),
                Ok(step) => {
                    prop_assert_eq!(wanted(Some(before.state()), sender, kind), Some(step.record.state()));
                    prop_assert!(!before.state().is_final());
                    if matches!(kind, Kind::Request | Kind::Offer) {
                        on_table = mark;
                    }
                    record = step.record;
                }
                Err(StepError::OutOfTurn(_)) => {
                    prop_assert_eq!(wanted(Some(before.state()), sender, kind), None);
                }
                Err(StepError::PidReused { .. }) => prop_assert!(opening),
                Err(other) => prop_assert!(false, "{other}"),
            }
        }
    }
}
