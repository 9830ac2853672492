//! A rule set as a policy admin would write it: rows, obligations and reasons, put into a folder and applied.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use crate::TestNode;

/// From before any test until after all of them.
const ALWAYS: &str = "2020-01-01T00:00Z, 9999-12-31T00:00Z";

/// Rules of one agency. Everybody may discover and read descriptions; what else is allowed, a test says.
#[derive(Debug, Clone)]
pub struct Rules {
    rows: Vec<String>,
    obligations: Map<String, Value>,
    reasons: Map<String, Value>,
}

impl Default for Rules {
    fn default() -> Self {
        Self::new()
    }
}

impl Rules {
    /// Catalogs are open, rows are not.
    pub fn new() -> Self {
        let open = |action: &str| {
            format!(
                "p, T-{}, 10, *, *, {action}, *, *, *, *, 0, 9, {ALWAYS}, -, allow",
                action.to_uppercase()
            )
        };
        Self { rows: vec![open("discover"), open("metadata")], obligations: Map::new(), reasons: Map::new() }
    }

    /// Nothing is open: not even a title is shown.
    pub fn closed() -> Self {
        Self { rows: Vec::new(), obligations: Map::new(), reasons: Map::new() }
    }

    /// Subjects that this pattern names (`gr:press`, `ag:urn:…`, `*`) may do `action` with `dataset`, for any purpose and on
    /// any basis, under these obligations; `null` for none.
    pub fn open(mut self, subject: &str, action: &str, dataset: &str, obligations: Value) -> Self {
        let number = self.rows.len();
        let set = if obligations.is_null() { "-".to_owned() } else { format!("T-OB-{number}") };
        self.rows.push(format!(
            "p, T-OPEN-{number}, 30, {subject}, ds:{dataset}, {action}, *, *, *, *, 0, 9, {ALWAYS}, {set}, allow"
        ));
        if !obligations.is_null() {
            self.obligations.insert(set, obligations);
        }
        self
    }

    /// Members of `group` may do `action` with `dataset` for `purpose` on some legal basis, under these obligations.
    pub fn allow(
        mut self,
        group: &str,
        action: &str,
        dataset: &str,
        purpose: &str,
        obligations: Value,
    ) -> Self {
        let number = self.rows.len();
        let set = format!("T-OB-{number}");
        self.rows.push(format!(
            "p, T-ALLOW-{number}, 30, gr:{group}, ds:{dataset}, {action}, pu:{purpose}, *, +, *, 0, 9, {ALWAYS}, {set}, allow"
        ));
        self.obligations.insert(set, obligations);
        self
    }

    /// Nobody may have `dataset` for `purpose`, and this is why: legal basis and words, each Vietnamese and English.
    pub fn deny(mut self, dataset: &str, purpose: &str, basis: [&str; 2], words: [&str; 2]) -> Self {
        let id = format!("T-DENY-{}", self.rows.len());
        self.rows.push(format!(
            "p, {id}, 20, *, ds:{dataset}, query, pu:{purpose}, *, *, *, 0, 9, {ALWAYS}, -, deny"
        ));
        let reason = json!({
            "legal_basis": {"vi": basis[0], "en": basis[1], "mark": "S"},
            "text": {"vi": words[0], "en": words[1]},
        });
        self.reasons.insert(id, reason);
        self
    }

    /// Writes the folder.
    ///
    /// # Panics
    /// When it can't be written.
    #[track_caller]
    pub fn write(&self, folder: &Path) {
        let files = [
            ("policy.csv", self.rows.join("\n") + "\n"),
            ("duties.csv", "# none\n".to_owned()),
            ("obligations.json", Value::Object(self.obligations.clone()).to_string()),
            ("reasons.json", Value::Object(self.reasons.clone()).to_string()),
            ("cases.json", "[]".to_owned()),
        ];
        let written = std::fs::create_dir_all(folder)
            .and_then(|()| files.iter().try_for_each(|(name, text)| std::fs::write(folder.join(name), text)));
        written.unwrap_or_else(|error| panic!("`{}` can't be written: {error}", folder.display()));
    }

    /// Writes a folder on the node's desk and puts it in force; returns the folder.
    #[track_caller]
    pub fn apply(&self, node: &TestNode) -> PathBuf {
        let folder = node.desk().join("rules");
        self.write(&folder);
        node.ok(&["policy", "apply", &folder.to_string_lossy()]);
        folder
    }
}
