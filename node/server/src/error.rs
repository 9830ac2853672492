//! What can go wrong in a node, as one typed enum, and how each is told: as problem+json (RFC 9457) over HTTP and as
//! an exit code on the command line.
//!
//! Two texts: the message is for the caller and says what was wrong, where, and what to do; the cause stays in the
//! local log, because causes may hold data or paths that the caller must not see.

use std::path::{Path, PathBuf};

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

/// Result with the node's error.
pub type Result<T> = std::result::Result<T, Error>;

/// A failure, told to the caller.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The call itself is wrong: a missing or impossible argument, a malformed body.
    #[error("{0}")]
    Usage(String),
    /// What was asked for is not here.
    #[error("{0}")]
    NotFound(String),
    /// Somebody else changed the thing meanwhile, or it is not in a state that allows this.
    #[error("{0}")]
    Conflict(String),
    /// The caller did not show who it is.
    #[error("{0}")]
    Unauthenticated(String),
    /// The rules said no.
    #[error("{}", .0.text())]
    Refused(Box<RefusalInfo>),
    /// A signature, digest or proof does not hold.
    #[error("{0}")]
    Verification(String),
    /// A peer cannot be reached.
    #[error("{0}")]
    Unreachable(String),
    /// A peer answered with something that breaks the protocol, or with an error of its own.
    #[error("{0}")]
    Peer(String),
    /// It is stored and will be done when the line is back.
    #[error("{0}")]
    Queued(String),
    /// A body or a number is over its limit.
    #[error("{0}")]
    TooLarge(String),
    /// The node is busy or stopping; try again.
    #[error("{0}")]
    Unavailable(String),
    /// Another process works in this node's folder: a server, or a command that opened the node for its own length.
    #[error("{0}")]
    InUse(String),
    /// A file or folder could not be used.
    #[error("`{}`: {source}; {}", path.display(), to_do(source))]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The node's own fault; the cause is in the log.
    #[error("{}", failed(.0))]
    Internal(String),
}

/// What to do about a file or folder.
fn to_do(source: &std::io::Error) -> &'static str {
    use std::io::ErrorKind;
    match source.kind() {
        ErrorKind::AlreadyExists => "give another name, or move the file that is there",
        ErrorKind::BrokenPipe => "whoever read the output stopped reading",
        ErrorKind::StorageFull => "make room on the disk and try again",
        _ => "check that the path exists and that this user may use it",
    }
}

/// Status and slug of a failure of the node's own.
const INTERNAL: (StatusCode, &str) = (StatusCode::INTERNAL_SERVER_ERROR, "internal");

/// What everybody may know of a failure of the node's own.
const FAILED: &str = "the node failed to do this; its log tells more";
const FAILED_BEFORE: &str = "the node failed to do this (";
const FAILED_AFTER: &str = "); its log tells more";

/// The text of an internal failure, for those who may know the cause.
fn failed(cause: &str) -> String {
    if cause.is_empty() { FAILED.to_owned() } else { format!("{FAILED_BEFORE}{cause}{FAILED_AFTER}") }
}

/// The cause in a text that [`failed`] made, so that a failure that is told on does not wrap itself again.
fn bare(text: &str) -> &str {
    let mut text = text;
    while let Some(inner) = text.strip_prefix(FAILED_BEFORE).and_then(|t| t.strip_suffix(FAILED_AFTER)) {
        text = inner;
    }
    if text == FAILED { "" } else { text }
}

/// What the local door tells instead of the text for everybody: this machine's paths are no secret to its owner.
#[derive(Debug, Clone)]
pub struct LocalDetail(String);

/// A refusal by the rules, as it is told: always with a reason code, a legal basis and a text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusalInfo {
    /// Reason code, for example `NO-RULE` or `INV-PURPOSE`.
    pub code: String,
    /// Legal basis of the refusal: a citation.
    pub legal_basis: String,
    /// Plain text, Vietnamese.
    pub text_vi: String,
    /// Plain text, English.
    pub text_en: String,
}

impl RefusalInfo {
    /// One line for people.
    pub fn text(&self) -> String {
        format!(
            "refused ({}): {} / {} — legal basis: {}",
            self.code, self.text_vi, self.text_en, self.legal_basis
        )
    }
}

impl Error {
    /// A wrong call.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::Usage(message.into())
    }
    /// Something that is not here.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::NotFound(message.into())
    }
    /// A state that does not allow this.
    pub fn conflict(message: impl Into<String>) -> Self {
        Self::Conflict(message.into())
    }
    /// The node's own fault. The cause goes to the log, the caller learns only the short word.
    pub fn internal(cause: impl std::fmt::Display) -> Self {
        let text = cause.to_string();
        let cause = bare(&text);
        tracing::error!(cause, "internal failure");
        Self::Internal(cause.to_owned())
    }
    /// A file or folder that could not be used.
    pub fn io(path: &Path, source: std::io::Error) -> Self {
        Self::Io { path: path.to_owned(), source }
    }

    /// HTTP status and the stable last part of the problem type.
    pub fn kind(&self) -> (StatusCode, &'static str) {
        match self {
            Self::Usage(_) => (StatusCode::BAD_REQUEST, "bad-request"),
            Self::NotFound(_) => (StatusCode::NOT_FOUND, "not-found"),
            Self::Conflict(_) => (StatusCode::CONFLICT, "conflict"),
            Self::Unauthenticated(_) => (StatusCode::UNAUTHORIZED, "unauthenticated"),
            Self::Refused(_) => (StatusCode::FORBIDDEN, "refused"),
            Self::Verification(_) => (StatusCode::UNPROCESSABLE_ENTITY, "verification-failed"),
            Self::Unreachable(_) => (StatusCode::BAD_GATEWAY, "peer-unreachable"),
            Self::Peer(_) => (StatusCode::BAD_GATEWAY, "peer-error"),
            Self::Queued(_) => (StatusCode::ACCEPTED, "queued"),
            Self::TooLarge(_) => (StatusCode::PAYLOAD_TOO_LARGE, "too-large"),
            Self::Unavailable(_) | Self::InUse(_) => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
            Self::Io { .. } | Self::Internal(_) => INTERNAL,
        }
    }

    /// Exit code of the command line: 1 failure, 2 usage, 3 refused, 4 verification, 5 unreachable, 6 queued.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            Self::Refused(_) => 3,
            Self::Verification(_) => 4,
            Self::Unreachable(_) => 5,
            Self::Queued(_) => 6,
            _ => 1,
        }
    }

    /// The problem document for people and programs of this machine.
    pub fn problem(&self) -> Problem {
        let (status, slug) = self.kind();
        let detail = match self {
            // The cause may name paths and data of the node: it stays in the log.
            Self::Internal(_) => FAILED.to_owned(),
            other => other.to_string(),
        };
        let refusal = match self {
            Self::Refused(info) => Some((**info).clone()),
            _ => None,
        };
        Problem {
            kind: format!("urn:tram:problem:{slug}"),
            title: slug.replace('-', " "),
            status: status.as_u16(),
            detail,
            refusal,
        }
    }
}

/// A problem document (RFC 9457).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// Stable type, `urn:tram:problem:…`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Short title of the type.
    pub title: String,
    /// HTTP status.
    pub status: u16,
    /// What was wrong, where, and what to do.
    pub detail: String,
    /// The refusal, when the rules said no.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<RefusalInfo>,
}

impl Problem {
    /// A problem of a kind that no [`Error`] has: with a status that says more than the error would.
    pub fn new(status: StatusCode, slug: &str, detail: String) -> Self {
        let kind = format!("urn:tram:problem:{slug}");
        Self { kind, title: slug.replace('-', " "), status: status.as_u16(), detail, refusal: None }
    }

    /// The error that a problem stands for, on the side that received it.
    pub fn into_error(self) -> Error {
        let detail = self.detail;
        match self.kind.strip_prefix("urn:tram:problem:").unwrap_or_default() {
            "bad-request" | "not-acceptable" | "precondition-failed" | "range-not-satisfiable" => {
                Error::Usage(detail)
            }
            "not-found" => Error::NotFound(detail),
            "conflict" => Error::Conflict(detail),
            "unauthenticated" => Error::Unauthenticated(detail),
            "verification-failed" => Error::Verification(detail),
            "peer-unreachable" => Error::Unreachable(detail),
            "peer-error" => Error::Peer(detail),
            "queued" => Error::Queued(detail),
            "too-large" => Error::TooLarge(detail),
            "unavailable" | "too-early" => Error::Unavailable(detail),
            "refused" => match self.refusal {
                Some(info) => Error::Refused(Box::new(info)),
                None => Error::Peer(format!("a refusal without its reason: {detail}")),
            },
            _ => Error::Internal(bare(&detail).to_owned()),
        }
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let mut problem = self.problem();
        match &self {
            // Asked again and again by those who wait: not worth a warning each time.
            Self::Unavailable(_) => {
                tracing::debug!(error = %self, "answered that it is too early or too much")
            }
            _ if problem.status >= 500 => {
                tracing::warn!(problem = %problem.kind, error = %self, "answered with a failure");
            }
            _ => {}
        }
        let local = matches!(self, Self::Io { .. }).then(|| {
            // Paths of this machine are nobody else's business: hidden unless a door says that it may tell them.
            LocalDetail(std::mem::replace(&mut problem.detail, FAILED.to_owned()))
        });
        let mut response = problem.into_response();
        if let Some(local) = local {
            response.extensions_mut().insert(local);
        }
        response
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&self).unwrap_or_else(|_| b"{}".to_vec());
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_SECONDS));
        }
        response
    }
}

/// When somebody who was told to come again later may come again.
const RETRY_AFTER_SECONDS: &str = "2";

/// For the local door: the same answer with what its caller may know besides.
pub fn tell_locally(mut response: Response) -> Response {
    let Some(LocalDetail(detail)) = response.extensions_mut().remove::<LocalDetail>() else {
        return response;
    };
    let (_, slug) = INTERNAL;
    Problem {
        kind: format!("urn:tram:problem:{slug}"),
        title: slug.to_owned(),
        status: response.status().as_u16(),
        detail,
        refusal: None,
    }
    .into_response()
}

/// An error with its causes in one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{Error, RefusalInfo};

    #[test]
    fn problems_survive_the_way_back() {
        let refusal = RefusalInfo {
            code: "NO-RULE".into(),
            legal_basis: "Decree 194/2025, art. 16".into(),
            text_vi: "không có quy tắc".into(),
            text_en: "no rule".into(),
        };
        for error in [
            Error::usage("x"),
            Error::not_found("x"),
            Error::conflict("x"),
            Error::Refused(Box::new(refusal)),
            Error::Verification("x".into()),
            Error::Unreachable("x".into()),
            Error::Peer("x".into()),
            Error::Queued("x".into()),
            Error::TooLarge("x".into()),
            Error::Unavailable("x".into()),
        ] {
            let back = error.problem().into_error();
            assert_eq!(back.exit_code(), error.exit_code(), "{error}");
            assert_eq!(back.to_string(), error.to_string());
        }
    }

    #[test]
    fn what_to_do_about_a_file_follows_from_what_the_system_said() {
        use std::io::{Error as Io, ErrorKind};
        let told = |kind: ErrorKind| Error::io(std::path::Path::new("x"), Io::from(kind)).to_string();
        assert!(
            told(ErrorKind::NotFound).ends_with("check that the path exists and that this user may use it")
        );
        assert!(
            told(ErrorKind::AlreadyExists).ends_with("give another name, or move the file that is there")
        );
    }

    #[test]
    fn the_cause_of_an_internal_failure_is_not_told() {
        let problem = Error::Internal("secret value 42".into()).problem();
        assert!(!problem.detail.contains("42"));
    }

    async fn detail(response: super::Response) -> String {
        use http_body_util::BodyExt;
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        serde_json::from_slice::<super::Problem>(&bytes).unwrap().detail
    }

    #[tokio::test]
    async fn paths_of_this_machine_are_told_on_the_local_door_only() {
        use axum::response::IntoResponse;
        let error = || {
            Error::io(std::path::Path::new("/srv/node/data/x.csv"), std::io::ErrorKind::NotFound.into())
                .into_response()
        };
        assert_eq!(detail(error()).await, super::FAILED);
        let local = super::tell_locally(error());
        assert_eq!(local.status(), 500);
        assert!(detail(local).await.contains("/srv/node/data/x.csv"));
        let internal = super::tell_locally(Error::Internal("secret value 42".into()).into_response());
        assert_eq!(detail(internal).await, super::FAILED);
    }

    #[test]
    fn a_failure_that_is_told_on_does_not_wrap_itself() {
        let once = Error::internal("the disk is full");
        let told = once.to_string();
        assert_eq!(told, "the node failed to do this (the disk is full); its log tells more");
        assert_eq!(Error::internal(&once).to_string(), told);
        assert_eq!(Error::internal(Error::internal(once)).to_string(), told);
        let back = Error::Internal("x".into()).problem().into_error();
        assert_eq!(back.to_string(), super::FAILED);
        assert_eq!(Error::internal(back).to_string(), super::FAILED);
    }

    #[test]
    fn who_is_told_to_come_again_is_told_when() {
        use axum::response::IntoResponse;
        let response = Error::Unavailable("not yet".into()).into_response();
        assert!(response.headers().contains_key("retry-after"));
    }
}
