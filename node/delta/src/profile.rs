//! The file that a client is given (section "Profile File Format" of the protocol). It holds a secret.

use serde::{Deserialize, Serialize};

/// Version of the form.
const VERSION: u32 = 1;

/// Where a client asks, and with what.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Profile {
    /// Version of the form.
    pub share_credentials_version: u32,
    /// Address of the sharing server, without a slash at its end.
    pub endpoint: String,
    /// The secret.
    pub bearer_token: String,
    /// Until when it is good, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiration_time: Option<String>,
}

impl Profile {
    /// A profile for a key.
    pub fn new(endpoint: &str, bearer_token: impl Into<String>, expiration_time: Option<String>) -> Self {
        let endpoint = endpoint.trim_end_matches('/').to_owned();
        Self {
            share_credentials_version: VERSION,
            endpoint,
            bearer_token: bearer_token.into(),
            expiration_time,
        }
    }
}

impl std::fmt::Debug for Profile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The token stays out of logs.
        f.debug_struct("Profile").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::Profile;

    #[test]
    fn a_profile_has_the_names_that_clients_read_and_is_not_logged_with_its_secret() {
        let profile = Profile::new("https://node.example/delta-sharing/", "secret", None);
        let text = serde_json::to_string(&profile).unwrap();
        let due = r#"{"shareCredentialsVersion":1,"endpoint":"https://node.example/delta-sharing","bearerToken":"secret"}"#;
        assert_eq!(text, due);
        assert!(!format!("{profile:?}").contains("secret"));
    }
}
