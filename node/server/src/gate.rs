//! The gate: intent → decision → permit or refusal. The only maker of [`Permit`]s.
//!
//! Everything that opens a source, answers a catalog, signs an agreement or sends rows takes a `&Permit`. Its fields are
//! private and it is made here alone, so no deed can be done without a decision, and none with a decision about
//! something else. Doubt means no: whatever is missing, unknown or unreadable is a refusal with its reason.

use std::collections::BTreeSet;
use std::sync::Arc;

use arc_swap::ArcSwap;
use policy::{Action, Class};
use policy::{AgreementFacts, Country, DatasetFacts, Dpia, Facts, PartyFacts, Question};
use policy::{AgreementId, BasisId, DatasetId, GroupId, PlaceId, PurposeId, RouteId, SubjectId, ZoneId};
use policy::{Decision, Engine, Obligations, RuleSet, Usage};
use serde_json::{Value, json};

use crate::approvals::{self, State};
use crate::decisions::Grounds;
use crate::error::{Error, RefusalInfo, Result};
use crate::flow::agreement::Standing;
use crate::node::Node;
use crate::operation::Operation;
use crate::parties;
use crate::records::{Exchange, Peer};

/// Proof that a decision said yes to exactly this.
#[derive(Debug, Clone)]
pub struct Permit {
    subject: String,
    action: Action,
    dataset: String,
    purpose: Option<String>,
    demanded: Obligations,
    obligations: Obligations,
    rule_set: ([u8; 32], u64),
    decision: [u8; 32],
    left: Left,
}

/// What quotas leave for one answer; none is no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Left {
    /// Rows.
    pub rows: Option<u64>,
    /// Bytes.
    pub bytes: Option<u64>,
}

impl Left {
    fn of(quota: &policy::Quota, usage: &Usage) -> Self {
        use policy::Measure::{BytesPerDay, BytesPerMonth, RowsPerDay, RowsPerMonth};
        let least = |a, b| [quota.left(usage, a), quota.left(usage, b)].into_iter().flatten().min();
        Self { rows: least(RowsPerDay, RowsPerMonth), bytes: least(BytesPerDay, BytesPerMonth) }
    }
}

impl Permit {
    /// Who asked.
    pub fn subject(&self) -> &str {
        &self.subject
    }
    /// What was asked.
    pub fn action(&self) -> Action {
        self.action
    }
    /// The dataset it is about: what opens a source compares this with what it opens.
    pub fn dataset(&self) -> &str {
        &self.dataset
    }
    /// For which purpose, where one was stated.
    pub fn purpose(&self) -> Option<&str> {
        self.purpose.as_deref()
    }
    /// What the rules demand; what was agreed may ask for more.
    pub fn demanded(&self) -> &Obligations {
        &self.demanded
    }
    /// What must be done: by the rules, and by the agreement.
    pub fn obligations(&self) -> &Obligations {
        &self.obligations
    }
    /// What quotas leave for this answer.
    pub fn left(&self) -> Left {
        self.left
    }
    /// SHA-256 and version of the rule set.
    pub fn rule_set(&self) -> ([u8; 32], u64) {
        self.rule_set
    }
    /// SHA-256 of the decision.
    pub fn decision(&self) -> [u8; 32] {
        self.decision
    }
    /// Refuses when this permit is for somebody else, about another dataset, or for another action.
    pub fn demand_for(&self, subject: &str, dataset: &str, actions: &[Action]) -> Result<()> {
        if self.subject == subject && actions.contains(&self.action) {
            return self.demand(dataset);
        }
        Err(Error::internal(format!(
            "a permit of `{}` to {} was used for `{subject}`",
            self.subject,
            self.action.written()
        )))
    }

    /// Refuses when this permit is about another dataset.
    pub fn demand(&self, dataset: &str) -> Result<()> {
        if self.dataset == dataset {
            return Ok(());
        }
        Err(Error::internal(format!("a permit for `{}` was used for `{dataset}`", self.dataset)))
    }
}

/// A question as the doors and flows put it, without prefixes.
#[derive(Debug, Clone)]
pub struct Asked<'a> {
    /// Participant id of the asker.
    pub subject: &'a str,
    /// What it wants to do.
    pub action: Action,
    /// Name of the dataset here.
    pub dataset: &'a str,
    /// Purpose.
    pub purpose: Option<&'a str>,
    /// Legal basis.
    pub basis: Option<&'a str>,
    /// The agreement under which, or the one that would be made.
    pub agreement: Option<&'a Standing>,
    /// The exchange that asks: what it has already is not held against its quota.
    pub exchange: Option<&'a str>,
}

/// A decision and, when it said yes, the proof.
#[derive(Debug)]
pub struct Verdict {
    /// The decision with everything that explains it.
    pub decision: Decision,
    /// What was asked, and the facts that it was decided on.
    pub grounds: Grounds,
    permit: Option<Permit>,
    refusal: Option<RefusalInfo>,
    waits_for: BTreeSet<String>,
    owed: Obligations,
}

impl Verdict {
    /// The refusal as the asker may see it, if it is one.
    pub fn refusal(&self) -> Option<&RefusalInfo> {
        self.refusal.as_ref()
    }

    /// The code of the refusal, if it is one.
    pub fn refused(&self) -> Option<&str> {
        self.refusal.as_ref().map(|refusal| refusal.code.as_str())
    }

    /// What must be done if this is permitted; nothing where it is refused.
    pub fn owed(&self) -> &Obligations {
        &self.owed
    }

    /// Roles that have to approve this and have not spoken yet. Not empty only where there is no permit for that reason
    /// alone.
    pub fn waits_for(&self) -> &BTreeSet<String> {
        &self.waits_for
    }

    /// The permit, or the refusal as the asker may see it.
    pub fn permit(self) -> std::result::Result<Permit, RefusalInfo> {
        match (self.permit, self.refusal) {
            (Some(permit), None) => Ok(permit),
            (_, Some(refusal)) => Err(refusal),
            (None, None) => Err(undeliverable("nothing was decided", "không có quyết định")),
        }
    }
}

/// The rule set in force.
pub struct Gate {
    engine: ArcSwap<Engine>,
}

impl Gate {
    /// A gate with a first rule set.
    pub fn new(rules: RuleSet) -> Result<Self> {
        Ok(Self { engine: ArcSwap::from_pointee(Engine::new(rules).map_err(Error::internal)?) })
    }

    /// Puts another rule set in force, at once and whole: who is being answered has the answer of the one before.
    pub fn put_in_force(&self, engine: Arc<Engine>) {
        self.engine.store(engine);
    }

    /// The engine in force.
    pub fn engine(&self) -> Arc<Engine> {
        self.engine.load_full()
    }

    /// Version and digest of the rule set in force.
    pub fn describe(&self) -> Value {
        described(self.engine.load().rule_set())
    }

    /// Decides about an exchange, and keeps the decision so that it can be checked later ([`crate::decisions`]).
    pub async fn decide(
        &self,
        node: &Node,
        operation: &Operation,
        exchange: &Exchange,
        asked: &Asked<'_>,
    ) -> Result<Verdict> {
        let verdict = self.look(node, operation, asked)?;
        crate::decisions::keep(node, operation, exchange, asked, &verdict).await?;
        Ok(verdict)
    }

    /// Decides without keeping the decision: for requests that repeat one that was kept.
    pub fn look(&self, node: &Node, operation: &Operation, asked: &Asked<'_>) -> Result<Verdict> {
        weigh(&self.engine.load_full(), node, operation, asked)
    }

    /// Whether the asker may discover a dataset; not kept, because a catalog asks it for each of thousands.
    pub fn may_discover(
        &self,
        node: &Node,
        operation: &Operation,
        subject: &str,
        dataset: &str,
    ) -> Result<bool> {
        Ok(self.glance(node, operation, subject, dataset, Action::Discover)?.permit.is_some())
    }

    /// A permit for metadata of a dataset, if the asker may have it; not kept.
    pub fn glance(
        &self,
        node: &Node,
        operation: &Operation,
        subject: &str,
        dataset: &str,
        action: Action,
    ) -> Result<Verdict> {
        let asked =
            Asked { subject, action, dataset, purpose: None, basis: None, agreement: None, exchange: None };
        weigh(&self.engine.load_full(), node, operation, &asked)
    }

    /// A permit for the owner itself: its own dataset, asked for through its own door (checking a file, computing a
    /// profile). Never for anything that leaves the node.
    pub fn own(&self, operation: &Operation, node: &Node, dataset: &str) -> Result<Permit> {
        if operation.actor != crate::operation::Actor::Local {
            return Err(Error::internal("only the local door acts for the owner"));
        }
        let rules = self.engine.load();
        Ok(Permit {
            subject: node.config.node.id.clone(),
            action: Action::Metadata,
            dataset: dataset.to_owned(),
            purpose: None,
            demanded: Obligations::default(),
            obligations: Obligations::default(),
            rule_set: (*rules.rule_set().digest().as_bytes(), rules.rule_set().version()),
            decision: [0; 32],
            left: Left::default(),
        })
    }
}

/// A rule set by version, digest and size.
pub fn described(rules: &RuleSet) -> Value {
    json!({
        "version": rules.version(),
        "sha256": rules.digest().to_string(),
        "grants": rules.grants().len(),
        "duties": rules.duties().len(),
    })
}

/// Through which zone requests of this asker come, and which way data takes: peers come through the peer door, everybody
/// else through the public one.
pub fn channel(node: &Node, subject: &str) -> Result<(ZoneId, RouteId)> {
    let zone = match &node.config.public {
        Some(section) if parties::is_one(node, subject)? => &section.network,
        _ => &node.config.peer.network,
    };
    let network = ZoneId::named(zone).map_err(Error::internal)?;
    let route = RouteId::named(&node.config.peer.route).map_err(Error::internal)?;
    Ok((network, route))
}

/// Question and facts of an asking, for deciding and explaining alike.
pub fn question(node: &Node, operation: &Operation, asked: &Asked<'_>) -> Result<(Question, Facts)> {
    let bad = |what: &str, text: &str, why: &dyn std::fmt::Display| {
        Error::usage(format!("{what} `{text}` cannot be used: {why}"))
    };
    for (what, prefix, text) in [("purpose", "pu:", asked.purpose), ("legal basis", "bas:", asked.basis)] {
        if let Some(rest) = text.and_then(|text| text.strip_prefix(prefix)) {
            return Err(Error::usage(format!("write the {what} as `{rest}`, without `{prefix}`")));
        }
    }
    let subject = SubjectId::named(asked.subject).map_err(|e| bad("participant", asked.subject, &e))?;
    let dataset = DatasetId::named(asked.dataset).map_err(|e| bad("dataset", asked.dataset, &e))?;
    let purpose =
        asked.purpose.map(|p| PurposeId::named(p).map_err(|e| bad("purpose", p, &e))).transpose()?;
    let basis = asked.basis.map(|b| BasisId::named(b).map_err(|e| bad("legal basis", b, &e))).transpose()?;
    let agreement = asked
        .agreement
        .map(|a| AgreementId::named(&a.id).map_err(|e| bad("agreement", &a.id, &e)))
        .transpose()?;
    let (network, route) = channel(node, asked.subject)?;
    let stated = asked.agreement.map(|agreement| agreement.stated.clone()).unwrap_or_default();
    let facts = Facts {
        party: party(node, asked.subject)?,
        dataset: dataset_facts(node, asked.dataset)?,
        agreement: asked.agreement.map(|a| agreement_facts(node, &subject, &dataset, a)).transpose()?,
        transfer_dossier: false,
        usage: usage(node, operation, asked)?,
    };
    // Data is used at home unless something else is stated.
    let home = facts.party.as_ref().map(|party| String::from(party.country).to_lowercase());
    let place = home.and_then(|country| PlaceId::named(&country).ok());
    let question = Question {
        subject,
        unit: stated.unit,
        role: stated.role,
        clearance: stated.clearance,
        action: asked.action,
        dataset,
        purpose,
        agreement,
        basis,
        network,
        place: stated.place.or(place),
        route,
        now: operation.now,
    };
    Ok((question, facts))
}

/// What the asker has had; looked up only where a rule could ask for it.
fn usage(node: &Node, operation: &Operation, asked: &Asked<'_>) -> Result<Usage> {
    let duties = asked.agreement.and_then(|agreement| agreement.duties.as_ref());
    let agreed = duties.is_some_and(|duties| !duties.quota.is_empty());
    if !asked.action.moves_content() || !(agreed || node.gate.engine().rule_set().has_quotas()) {
        return Ok(Usage::default());
    }
    crate::usage::of(node, asked.subject, asked.dataset, asked.exchange, operation.now)
}

fn party(node: &Node, participant: &str) -> Result<Option<PartyFacts>> {
    match node.peers.find(&node.store, participant)? {
        Some(peer) => party_facts(&peer),
        None => parties::facts(node, participant),
    }
}

/// What the policy needs to know of a peer.
pub fn party_facts(peer: &Peer) -> Result<Option<PartyFacts>> {
    let Some(country) = Country::parse(&peer.country) else { return Ok(None) };
    let groups = peer.groups.iter().map(|g| GroupId::named(g)).collect::<std::result::Result<_, _>>();
    let groups = groups.map_err(|e| Error::internal(format!("group of {}: {e}", peer.id)))?;
    Ok(Some(PartyFacts { country, active: peer.status == "active", groups }))
}

fn dataset_facts(node: &Node, name: &str) -> Result<Option<DatasetFacts>> {
    let Some(record) = crate::datasets::find(node, name)? else { return Ok(None) };
    if !record.is_published() {
        return Ok(None);
    }
    crate::datasets::facts(node, &record).map(Some)
}

/// Owner's facts for the policy, from the closed words of a dataset's record.
pub fn owned(owner: &str, class: u8) -> Result<(SubjectId, Class)> {
    let owner = SubjectId::named(owner).map_err(Error::internal)?;
    let class = Class::try_from(class).map_err(Error::internal)?;
    Ok((owner, class))
}

/// What the policy needs to know of an agreement.
pub fn agreement_facts(
    node: &Node,
    subject: &SubjectId,
    dataset: &DatasetId,
    standing: &Standing,
) -> Result<AgreementFacts> {
    let consumer = SubjectId::named(&standing.consumer).map_err(Error::internal)?;
    let covered = DatasetId::named(&standing.dataset).map_err(Error::internal)?;
    debug_assert!(!subject.as_str().is_empty() && !dataset.as_str().is_empty());
    let purposes: std::result::Result<Vec<_>, _> =
        standing.purposes.iter().map(|p| PurposeId::named(p)).collect();
    let dpia = crate::datasets::find(node, &standing.dataset)?.and_then(|d| d.record.dpia);
    Ok(AgreementFacts {
        consumer,
        datasets: vec![covered],
        purposes: purposes.map_err(|e| Error::usage(format!("purpose of the agreement: {e}")))?,
        not_before: standing.valid_from,
        expires: standing.valid_until,
        signatures: standing.signatures,
        dpia: dpia.map_or(Dpia::Missing, Dpia::Filed),
    })
}

fn weigh(engine: &Engine, node: &Node, operation: &Operation, asked: &Asked<'_>) -> Result<Verdict> {
    let (question, facts) = question(node, operation, asked)?;
    let decision = engine.decide_cached(&question, &facts);
    let (mut waits_for, mut approvals) = (BTreeSet::new(), Vec::new());
    let owed = decision.obligations().map(|obligations| owed(obligations, asked));
    let refusal = match &owed {
        Some(owed) => match approvals::state(node, operation.now, asked, owed)? {
            State::Given(given) => {
                approvals = given;
                let unfit = || Ok::<_, Error>(fit(node, operation.now, asked, owed)?.err().map(|_| misfit()));
                match unsupported(owed) {
                    Some(refusal) => Some(refusal),
                    None => match unfit()?.or_else(|| used_up(owed, asked, &facts)) {
                        None => spent(node, operation, asked, owed)?,
                        some => some,
                    },
                }
            }
            State::Open(roles) => {
                waits_for = roles;
                Some(approvals::pending())
            }
            State::Refused(why) => Some(approvals::denied(&why)),
        },
        None => {
            // Exactly what the catalog asks: without purpose, basis and agreement. What it shows is no secret here.
            let plain = Asked {
                action: Action::Discover,
                purpose: None,
                basis: None,
                agreement: None,
                exchange: None,
                ..asked.clone()
            };
            let (question, facts) = self::question(node, operation, &plain)?;
            told(&decision, engine.decide_cached(&question, &facts).is_permit())
        }
    };
    let permitted = owed.clone();
    let permit = match (&refusal, decision.obligations().zip(owed)) {
        (None, Some((demanded, owed))) => Some(Permit {
            subject: asked.subject.to_owned(),
            action: asked.action,
            dataset: asked.dataset.to_owned(),
            purpose: asked.purpose.map(str::to_owned),
            demanded: demanded.clone(),
            rule_set: (*decision.rule_set_digest.as_bytes(), decision.rule_set_version),
            decision: *decision.digest().map_err(Error::internal)?.as_bytes(),
            left: Left::of(&owed.quota, &facts.usage),
            obligations: owed,
        }),
        _ => None,
    };
    let decision = Arc::unwrap_or_clone(decision);
    let owed = permitted.unwrap_or_default();
    Ok(Verdict {
        decision,
        grounds: Grounds { question, facts, approvals },
        permit,
        refusal,
        waits_for,
        owed,
    })
}

/// What both signed may leave nothing where the rules alone would: nothing to deliver, or no more of a quota.
fn used_up(owed: &Obligations, asked: &Asked<'_>, facts: &Facts) -> Option<RefusalInfo> {
    if !asked.action.moves_content() {
        return None;
    }
    let code = match (owed.deliverable(), owed.quota.is_used_up(&facts.usage)) {
        (false, _) => policy::ReasonCode::ObligationConflict,
        (true, true) => policy::ReasonCode::Quota,
        (true, false) => return None,
    };
    Some(refusal_info(&code.refusal()))
}

/// The refusal where the privacy budget holds no further answer.
fn spent(
    node: &Node,
    operation: &Operation,
    asked: &Asked<'_>,
    owed: &Obligations,
) -> Result<Option<RefusalInfo>> {
    if !asked.action.moves_content() {
        return Ok(None);
    }
    crate::privacy::refusal(node, asked.subject, asked.dataset, asked.exchange, owed, operation.now)
}

/// What must be done under an agreement: rules that became looser do not loosen what both signed.
fn owed(obligations: &Obligations, asked: &Asked<'_>) -> Obligations {
    let agreed = asked.agreement.filter(|_| asked.action.moves_content()).and_then(|a| a.duties.as_ref());
    agreed.map_or_else(|| obligations.clone(), |duties| obligations.join(duties))
}

/// Whether this node can do all that these obligations ask.
pub fn can_keep(obligations: &Obligations) -> bool {
    unsupported(obligations).is_none()
}

/// The refusal as the asker may see it.
fn told(decision: &Decision, visible: bool) -> Option<RefusalInfo> {
    let view = decision.for_consumer(visible);
    let policy::Effect::Refuse(refusal) = view.effect else { return None };
    Some(refusal_info(&refusal))
}

fn refusal_info(refusal: &policy::Refusal) -> RefusalInfo {
    RefusalInfo {
        code: refusal.code().as_str().to_owned(),
        legal_basis: format!("{} / {}", refusal.legal_basis().text().vi(), refusal.legal_basis().text().en()),
        text_vi: refusal.text().vi().to_owned(),
        text_en: refusal.text().en().to_owned(),
    }
}

/// An obligation that this node cannot keep makes the permit a refusal: never a permit under a broken promise.
pub fn unsupported(obligations: &Obligations) -> Option<RefusalInfo> {
    if obligations.encrypt.get() >= 3 {
        return Some(undeliverable(
            "the rules demand encryption to the recipient's key, which this node cannot do yet",
            "quy tắc đòi mã hoá bằng khoá của bên nhận, nút này chưa làm được",
        ));
    }
    if obligations.differential_privacy.is_some() && !dataplane::Laplace::AVAILABLE {
        return Some(undeliverable(
            "the rules demand differential privacy, which this build of the node does not have (feature `dp`)",
            "quy tắc đòi riêng tư vi phân, bản dựng này của nút không có (tính năng `dp`)",
        ));
    }
    None
}

/// Whether the dataset can be shown under what is owed, or why not: for the owner's own people, since it names columns.
pub fn fit(
    node: &Node,
    now: i64,
    asked: &Asked<'_>,
    owed: &Obligations,
) -> Result<std::result::Result<(), String>> {
    if !asked.action.moves_content() {
        return Ok(Ok(()));
    }
    // A dataset that is not here is refused elsewhere, with the words for that.
    let Some(dataset) = crate::datasets::find(node, asked.dataset)? else { return Ok(Ok(())) };
    Ok(crate::enforce::fits(owed, &dataset, node.secrets(), asked.subject, asked.purpose, now).map_err(|error| {
        tracing::warn!(dataset = asked.dataset, %error, "the obligations of a permit do not fit the dataset");
        error.to_string()
    }))
}

fn misfit() -> RefusalInfo {
    undeliverable(
        "the rules ask for a form that does not fit the columns of this dataset; its provider corrects the rules or the contract",
        "quy tắc đòi một hình thức không khớp với các cột của bộ dữ liệu này; bên cung cấp cần sửa quy tắc hoặc mô tả dữ liệu",
    )
}

fn undeliverable(en: &str, vi: &str) -> RefusalInfo {
    RefusalInfo {
        code: "OBLIGATION-UNSUPPORTED".to_owned(),
        legal_basis: "Nghị định 194/2025/NĐ-CP, Điều 16 khoản 2 / Decree 194/2025/ND-CP, Art. 16(2)"
            .to_owned(),
        text_vi: vi.to_owned(),
        text_en: en.to_owned(),
    }
}
