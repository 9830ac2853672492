//! The judge: one casbin enforcer whose rules and links are put in for each question.
//!
//! Promises: it is never asked with no rules (casbin would then evaluate the matcher over empty texts and may say
//! yes); its model text is the one embedded here; an error is an error, never a permit.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use casbin::rhai::Dynamic;
use casbin::{CoreApi, DefaultModel, Enforcer, MatchingFn, RoleManager};
use parking_lot::{Mutex, RwLock};

use crate::effector::{Collector, Hits};
use crate::index::Asked;
use crate::lean::{Cut, Model, Needed};
use crate::limits::LEAN_JUDGES_MAX;
use crate::standing::{Named, Standing};

/// Model of grants.
pub(crate) const GRANT_MODEL: &str = include_str!("../models/grant.conf");
/// Model of duties.
pub(crate) const DUTY_MODEL: &str = include_str!("../models/duty.conf");

/// The models before rules could speak of unit, role, clearance, place and route. A rule set that does not speak of them
/// means the same under both, and keeps the digest that it had: receipts of years ago still name it.
pub(crate) const GRANT_MODEL_1: &str = include_str!("../models/1/grant.conf");
/// The same for duties.
pub(crate) const DUTY_MODEL_1: &str = include_str!("../models/1/duty.conf");

/// The lines of a model that mean something: neither blank nor comment, without blanks at the ends.
pub(crate) fn meaning(model: &str) -> impl Iterator<Item = &str> {
    model.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'))
}

/// Why a judge cannot be made or cannot answer.
#[derive(Debug, thiserror::Error)]
pub enum JudgeError {
    /// casbin said so.
    #[error("casbin: {0}")]
    Casbin(#[from] Box<casbin::Error>),
    /// A step that must be immediate waited.
    #[error("casbin waited while a model was built from memory")]
    Waited,
    /// The model has no rule section.
    #[error("the model has no rule section `p`")]
    Section,
    /// Asked without rules.
    #[error("a judge was asked without any rule")]
    NoRules,
    /// Casbin's answer and the first rule that matched do not agree.
    #[error("casbin's answer does not agree with the rules that matched")]
    Disagrees,
}

/// A question in the order of the model's request definition, as casbin takes it.
pub(crate) struct Request(Vec<Dynamic>);

impl Request {
    /// Writes a question down for casbin: `sub obj act pur agr bas net cls now unt rol clr plc via`.
    pub fn of(asked: &Asked<'_>) -> Self {
        let Asked { question, standing, class, now } = asked;
        let or_none = |value: Option<&str>| Dynamic::from(value.unwrap_or("-").to_owned());
        let named = |named: &Named| Dynamic::from(named.name.to_string());
        Self(vec![
            named(&standing.subject),
            named(&standing.dataset),
            Dynamic::from(question.action.written().to_owned()),
            named(&standing.purpose),
            or_none(question.agreement.as_ref().map(|agreement| agreement.as_str())),
            or_none(question.basis.as_ref().map(|basis| basis.as_str())),
            Dynamic::from(question.network.as_str().to_owned()),
            Dynamic::from(class.to_string()),
            Dynamic::from(now.to_string()),
            named(&standing.unit),
            named(&standing.role),
            Dynamic::from(question.clearance.to_string()),
            named(&standing.place),
            Dynamic::from(question.route.as_str().to_owned()),
        ])
    }
}

/// casbin's answer.
pub(crate) struct Verdict {
    /// Its yes or no.
    pub allowed: bool,
    /// Positions of the rules that matched.
    pub hits: Vec<usize>,
}

/// One enforcer.
pub(crate) struct Judge {
    enforcer: Enforcer,
    links: Arc<RwLock<Links>>,
    hits: Hits,
}

impl Judge {
    /// Builds an enforcer over a model text.
    ///
    /// # Errors
    /// [`JudgeError`] when casbin does not take the model.
    pub fn new(model: &str) -> Result<Self, JudgeError> {
        let model = at_once(DefaultModel::from_str(model))?;
        let mut enforcer = at_once(Enforcer::new_raw(model, ()))?;
        let (links, hits) = (Arc::new(RwLock::new(Links::default())), Hits::default());
        enforcer.enable_auto_build_role_links(false);
        enforcer.set_role_manager(links.clone()).map_err(Box::new)?;
        enforcer.set_effector(Box::new(Collector::new(Arc::clone(&hits))));
        Ok(Self { enforcer, links, hits })
    }

    /// Puts the candidate rows before casbin.
    ///
    /// # Errors
    /// [`JudgeError::NoRules`] without rows; otherwise what casbin reports.
    pub fn ask(
        &mut self,
        rows: impl Iterator<Item = Vec<String>>,
        standing: &Arc<Standing>,
        request: Vec<Dynamic>,
    ) -> Result<Verdict, JudgeError> {
        if self.put(rows)? == 0 {
            return Err(JudgeError::NoRules);
        }
        self.links.write().0 = Some(Arc::clone(standing));
        let answer = self.enforcer.enforce(request);
        // A judge goes back to the pool knowing nothing of the question.
        self.links.write().0 = None;
        let allowed = answer.map_err(Box::new)?;
        Ok(Verdict { allowed, hits: std::mem::take(&mut *self.hits.lock()) })
    }

    fn put(&mut self, rows: impl Iterator<Item = Vec<String>>) -> Result<usize, JudgeError> {
        let sections = self.enforcer.get_mut_model().get_mut_model();
        let section = sections.get_mut("p").and_then(|p| p.get_mut("p")).ok_or(JudgeError::Section)?;
        let policy = section.get_mut_policy();
        policy.clear();
        policy.extend(rows);
        Ok(policy.len())
    }
}

/// Runs a future that only works in memory: it must be ready at the first poll.
fn at_once<T>(future: impl Future<Output = casbin::Result<T>>) -> Result<T, JudgeError> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => Ok(result.map_err(Box::new)?),
        Poll::Pending => Err(JudgeError::Waited),
    }
}

/// casbin's role manager: looks up the standing of the question that is being decided.
#[derive(Default)]
struct Links(Option<Arc<Standing>>);

impl RoleManager for Links {
    fn clear(&mut self) {}
    fn add_link(&mut self, _: &str, _: &str, _: Option<&str>) {}
    fn matching_fn(&mut self, _: Option<MatchingFn>, _: Option<MatchingFn>) {}
    fn delete_link(&mut self, _: &str, _: &str, _: Option<&str>) -> casbin::Result<()> {
        Ok(())
    }
    fn has_link(&self, name: &str, broader: &str, _: Option<&str>) -> bool {
        self.0.as_ref().is_some_and(|standing| standing.is_under(name, broader))
    }
    fn get_roles(&self, _: &str, _: Option<&str>) -> Vec<String> {
        Vec::new()
    }
    fn get_users(&self, _: &str, _: Option<&str>) -> Vec<String> {
        Vec::new()
    }
}

/// What a judge judges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Grants: the first that matches decides.
    Grants,
    /// Duties: all that match count.
    Duties,
}

/// The judges that one decision needs.
pub(crate) struct Bench {
    grants: Court,
    duties: Court,
}

/// The judges over one model: one for all of its columns, and some for fewer.
struct Court {
    model: Model,
    whole: Judge,
    lean: HashMap<Needed, (Cut, Judge)>,
}

impl Bench {
    fn new() -> Result<Self, JudgeError> {
        Ok(Self { grants: Court::new(GRANT_MODEL)?, duties: Court::new(DUTY_MODEL)? })
    }

    /// Puts rules before the judge of their kind.
    ///
    /// # Errors
    /// [`Judge::ask`]'s.
    pub fn ask(
        &mut self,
        kind: Kind,
        rows: Vec<Vec<String>>,
        standing: &Arc<Standing>,
        request: &Request,
    ) -> Result<Verdict, JudgeError> {
        match kind {
            Kind::Grants => self.grants.ask(rows, standing, request),
            Kind::Duties => self.duties.ask(rows, standing, request),
        }
    }
}

impl Court {
    fn new(model: &'static str) -> Result<Self, JudgeError> {
        Ok(Self { model: Model::read(model)?, whole: Judge::new(model)?, lean: HashMap::new() })
    }

    fn ask(
        &mut self,
        rows: Vec<Vec<String>>,
        standing: &Arc<Standing>,
        request: &Request,
    ) -> Result<Verdict, JudgeError> {
        let needed = self.model.needed(&rows);
        let room = self.lean.len() < LEAN_JUDGES_MAX;
        let (cut, judge) = match self.lean.entry(needed) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) if room => {
                let cut = self.model.cut(needed);
                let judge = Judge::new(&cut.text)?;
                place.insert((cut, judge))
            }
            Entry::Vacant(_) => return self.whole.ask(rows.into_iter(), standing, request.0.clone()),
        };
        judge.ask(rows.into_iter().map(|row| cut.row(row)), standing, cut.request(&request.0))
    }
}

/// Idle benches, so that threads do not wait for each other and none is built twice without need.
pub(crate) struct Pool {
    idle: Mutex<Vec<Bench>>,
}

impl Pool {
    /// A pool with one bench, built now so that a model that casbin does not take is found at start.
    pub fn new() -> Result<Self, JudgeError> {
        Ok(Self { idle: Mutex::new(vec![Bench::new()?]) })
    }

    /// Lends a bench for the time of `work`; it goes back only when the work succeeded.
    pub fn with<T, E: From<JudgeError>>(
        &self,
        work: impl FnOnce(&mut Bench) -> Result<T, E>,
    ) -> Result<T, E> {
        let idle = self.idle.lock().pop();
        let mut bench = idle.map_or_else(Bench::new, Ok)?;
        let result = work(&mut bench)?;
        let mut idle = self.idle.lock();
        if idle.len() < crate::limits::IDLE_JUDGES_MAX {
            idle.push(bench);
        }
        Ok(result)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::closure::Closure;
    use crate::minute::Minute;
    use crate::question::{Facts, Question};
    use crate::rule::Class;

    fn asked() -> (Arc<Standing>, Request) {
        let question = serde_json::json!({
            "subject": "ag:a", "action": "query", "dataset": "ds:x", "purpose": null, "agreement": null, "basis": null,
            "network": "net:gov", "now": 1_795_161_600,
        });
        let question: Question = serde_json::from_value(question).unwrap();
        let standing = Arc::new(
            Standing::of(crate::Invariants::default(), &Closure::default(), &question, &Facts::default())
                .unwrap(),
        );
        let now = Minute::from_unix(question.now).unwrap();
        let asked = Asked { question: &question, standing: &standing, class: Class::OPEN, now };
        let request = Request::of(&asked);
        (standing, request)
    }

    #[test]
    fn a_judge_without_rules_is_not_asked() {
        let mut judge = Judge::new(GRANT_MODEL).unwrap();
        let (standing, request) = asked();
        let answer = judge.ask(std::iter::empty(), &standing, request.0);
        assert!(matches!(answer, Err(JudgeError::NoRules)));
    }

    #[test]
    fn a_short_row_is_an_error_and_no_permit() {
        let mut judge = Judge::new(GRANT_MODEL).unwrap();
        let rows = std::iter::once(vec!["X".to_owned(), "30".to_owned()]);
        let (standing, request) = asked();
        assert!(matches!(judge.ask(rows, &standing, request.0), Err(JudgeError::Casbin(_))));
    }

    #[test]
    fn a_model_that_casbin_does_not_know_is_refused_at_start() {
        assert!(Judge::new("[matchers]\nm = (").is_err());
    }
}
