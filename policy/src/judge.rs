//! The judge: one casbin enforcer whose rules and links are put in for each question.
//!
//! Promises: it is never asked with no rules (casbin would then evaluate the matcher over empty texts and may say
//! yes); its model text is the one embedded here; an error is an error, never a permit.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use casbin::{CoreApi, DefaultModel, Enforcer, MatchingFn, RoleManager};
use parking_lot::{Mutex, RwLock};

use crate::effector::{Collector, Hits};
use crate::standing::Standing;

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

/// Columns of the question as casbin takes them.
pub(crate) struct Columns {
    pub action: &'static str,
    pub agreement: String,
    pub basis: String,
    pub network: String,
    pub class: String,
    pub now: String,
    pub clearance: String,
    pub route: String,
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
        columns: &Columns,
    ) -> Result<Verdict, JudgeError> {
        if self.put(rows)? == 0 {
            return Err(JudgeError::NoRules);
        }
        self.links.write().0 = Some(Arc::clone(standing));
        let answer = self.enforcer.enforce(request(standing, columns));
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

/// The question in the order of the model's request definition.
fn request(standing: &Standing, columns: &Columns) -> Vec<String> {
    [
        &standing.subject.name,
        &standing.dataset.name,
        columns.action,
        &standing.purpose.name,
        &columns.agreement,
        &columns.basis,
        &columns.network,
        &columns.class,
        &columns.now,
        &standing.unit.name,
        &standing.role.name,
        &columns.clearance,
        &standing.place.name,
        &columns.route,
    ]
    .map(str::to_owned)
    .into()
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

/// The two judges that one decision needs.
pub(crate) struct Bench {
    pub grants: Judge,
    pub duties: Judge,
}

impl Bench {
    fn new() -> Result<Self, JudgeError> {
        Ok(Self { grants: Judge::new(GRANT_MODEL)?, duties: Judge::new(DUTY_MODEL)? })
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
    pub fn with<T>(&self, work: impl FnOnce(&mut Bench) -> Result<T, JudgeError>) -> Result<T, JudgeError> {
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

    fn columns() -> Columns {
        let any = || "-".to_owned();
        Columns {
            action: "query",
            agreement: any(),
            basis: any(),
            network: "net:gov".into(),
            class: "1".into(),
            now: "2026-11-20T08:00Z".into(),
            clearance: "0".into(),
            route: "via:direct".into(),
        }
    }

    #[test]
    fn a_judge_without_rules_is_not_asked() {
        let mut judge = Judge::new(GRANT_MODEL).unwrap();
        let answer = judge.ask(std::iter::empty(), &Arc::new(Standing::default()), &columns());
        assert!(matches!(answer, Err(JudgeError::NoRules)));
    }

    #[test]
    fn a_short_row_is_an_error_and_no_permit() {
        let mut judge = Judge::new(GRANT_MODEL).unwrap();
        let rows = std::iter::once(vec!["X".to_owned(), "30".to_owned()]);
        assert!(matches!(
            judge.ask(rows, &Arc::new(Standing::default()), &columns()),
            Err(JudgeError::Casbin(_))
        ));
    }

    #[test]
    fn a_model_that_casbin_does_not_know_is_refused_at_start() {
        assert!(Judge::new("[matchers]\nm = (").is_err());
    }
}
