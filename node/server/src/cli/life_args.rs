//! The words of `tram person` and of the life of rule sets, as types.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use crate::rules::people::Role;

/// `tram policy apply`
#[derive(Debug, Args)]
pub struct ApplyArgs {
    /// A draft (D1, D2 …), or a folder with policy.csv, duties.csv, obligations.json, cases.json.
    #[arg(value_name = "DRAFT|FOLDER")]
    pub what: PathBuf,
    /// One signature is enough: the folder only adds rules of tier 20 or 30 that deny and end within 72 hours.
    #[arg(long, requires = "key")]
    pub emergency: bool,
    /// The key of the person who says so.
    #[arg(long = "as", value_name = "KEYFILE", id = "key", requires = "emergency")]
    pub key: Option<PathBuf>,
}

/// What belongs to the life of rule sets, under `tram policy`.
#[derive(Debug, Subcommand)]
pub enum LifeCommand {
    /// Propose a rule set: check it, run its tests, and keep it for others to approve.
    Draft {
        /// Folder with the rule set.
        folder: PathBuf,
        /// What it is for, for those who approve it.
        #[arg(long)]
        note: Option<String>,
        /// Not in force before this time: 2026-12-01 or 2026-12-01T08:00:00+07:00.
        #[arg(long, value_name = "TIME")]
        not_before: Option<String>,
        /// Your own key.
        #[arg(long = "as", value_name = "KEYFILE")]
        key: Option<PathBuf>,
    },
    /// List drafts, or show one with what it still needs.
    Drafts {
        /// Draft.
        draft: Option<String>,
        /// Write its files to this folder, to look at them before signing.
        #[arg(long, value_name = "FOLDER", requires = "draft")]
        files: Option<PathBuf>,
    },
    /// Approve somebody else's draft.
    Approve {
        /// Draft.
        draft: String,
        /// Your own key.
        #[arg(long = "as", value_name = "KEYFILE")]
        key: PathBuf,
    },
    /// Reject a draft.
    Reject {
        /// Draft.
        draft: String,
        /// Your own key.
        #[arg(long = "as", value_name = "KEYFILE")]
        key: PathBuf,
    },
    /// Put an earlier rule set in force again, in one step, as a new version.
    Rollback {
        /// Version [default: the one before the one in force].
        version: Option<u64>,
        /// The key of a person who may approve.
        #[arg(long = "as", value_name = "KEYFILE")]
        key: Option<PathBuf>,
    },
    /// List the rule sets that were in force: who, when, why, with which approvals.
    History {
        /// Only versions before this one.
        #[arg(long, value_name = "VERSION")]
        before: Option<u64>,
    },
    /// Verify the signed bundle of a version, from the node or from a file (no node, no network).
    Verify {
        /// A version of this node, or a file that --out wrote.
        #[arg(value_name = "VERSION|FILE")]
        what: PathBuf,
        /// Write the bundle to this file, for others to verify.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// Registry to trust [default: the keys that ride in the bundle, whose fingerprint is shown].
        #[arg(long, value_name = "FILE")]
        registry: Option<PathBuf>,
    },
    /// Write the rules of a folder in the other form; comments on lines of their own stay.
    Convert {
        /// Folder with the rule set.
        folder: PathBuf,
        /// The form.
        #[arg(long, value_enum)]
        to: FormArg,
    },
}

/// How rules are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FormArg {
    /// policy.csv and duties.csv: one row a rule.
    Csv,
    /// policy.toml and duties.toml: one table a rule.
    Toml,
}

/// `tram person …`
#[derive(Debug, Subcommand)]
pub enum PersonCommand {
    /// Let a person in.
    Add {
        /// Name.
        name: String,
        /// What the person may do; repeat for more.
        #[arg(long, required = true, value_enum)]
        role: Vec<Role>,
        /// Make a new key and write it to this file, for the person alone.
        #[arg(long, value_name = "FILE", required_unless_present = "public_key")]
        key_out: Option<PathBuf>,
        /// The public key of a key that the person has made already (base64).
        #[arg(long, value_name = "KEY", conflicts_with = "key_out")]
        public_key: Option<String>,
        /// End of the time in office.
        #[arg(long, value_name = "TIME")]
        until: Option<String>,
        /// The key of a person who may approve; needed once there is one.
        #[arg(long = "as", value_name = "KEYFILE")]
        key: Option<PathBuf>,
    },
    /// List the people.
    List,
    /// Confirm a person whom another policy-approver let in, so that the person need not wait seven days.
    Confirm {
        /// Name, or thumbprint of the key.
        person: String,
        /// The key of a policy-approver, another than the one who let the person in.
        #[arg(long = "as", value_name = "KEYFILE")]
        key: Option<PathBuf>,
    },
    /// Let a person out.
    Remove {
        /// Name, or thumbprint of the key.
        person: String,
        /// The key of a person who may approve; needed once there is one.
        #[arg(long = "as", value_name = "KEYFILE")]
        key: Option<PathBuf>,
    },
    /// Print the public key of a key file.
    Key {
        /// The private key.
        file: PathBuf,
    },
}
