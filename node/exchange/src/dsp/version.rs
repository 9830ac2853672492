//! The version document (`GET <root>/.well-known/dspace-version`): unversioned, unauthenticated, without a context.

use super::error::MessageError;
use super::id::{Extra, NonEmpty};
use super::wire::{Fields, Out, Wire, serde_by_wire, to_value};

/// Which protocol versions a node speaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionResponse {
    /// The versions; a caller that finds none of its own must stop.
    pub protocol_versions: NonEmpty<Version>,
    /// Properties that the protocol does not know.
    pub extra: Extra,
}

impl VersionResponse {
    /// The document of a node that speaks DSP 2025-1 under one path.
    #[must_use]
    pub fn ours(path: &str) -> VersionResponse {
        let version = Version {
            version: super::VERSION.to_owned(),
            path: path.to_owned(),
            service_id: None,
            identifier_type: None,
            auth: None,
            extra: Extra::none(),
        };
        VersionResponse { protocol_versions: NonEmpty::one(version), extra: Extra::none() }
    }

    /// The path of DSP 2025-1 at that node, when it speaks it.
    #[must_use]
    pub fn path(&self) -> Option<&str> {
        let ours = self.protocol_versions.iter().find(|version| version.version == super::VERSION);
        ours.map(|version| version.path.as_str())
    }
}

impl Wire for VersionResponse {
    const TYPE: &'static str = "";
    const ROOT: bool = false;

    fn read(fields: &mut Fields) -> Result<Self, MessageError> {
        Ok(VersionResponse { protocol_versions: fields.list_due("protocolVersions")?, extra: fields.extra() })
    }

    fn write(&self, out: &mut Out) {
        out.list("protocolVersions", self.protocol_versions.as_slice()).extra(&self.extra);
    }
}

/// One protocol version; its binding is always `HTTPS`, the only one that the standard has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// The version, such as `2025-1`.
    pub version: String,
    /// Absolute path that is appended to the root.
    pub path: String,
    /// Groups endpoints over versions.
    pub service_id: Option<String>,
    /// Which kind of participant id is meant, such as `did:web`.
    pub identifier_type: Option<String>,
    /// Which authentication protocol is demanded.
    pub auth: Option<VersionAuth>,
    /// Properties that the protocol does not know.
    pub extra: Extra,
}

impl Wire for Version {
    const TYPE: &'static str = "";
    const ROOT: bool = false;

    fn read(fields: &mut Fields) -> Result<Self, MessageError> {
        fields.word("binding", &[("HTTPS", ())])?;
        let path = fields.text("path")?;
        if !path.starts_with('/') {
            return Err(fields.wrong("path", "a path that begins with /", "another text", "begin it with /"));
        }
        Ok(Version {
            version: fields.text("version")?,
            path,
            service_id: fields.opt_text("serviceId")?,
            identifier_type: fields.opt_text("identifierType")?,
            auth: fields.object("auth")?,
            extra: fields.extra(),
        })
    }

    fn write(&self, out: &mut Out) {
        out.text("version", &self.version)
            .text("path", &self.path)
            .text("binding", "HTTPS")
            .opt_text("serviceId", self.service_id.as_deref())
            .opt_text("identifierType", self.identifier_type.as_deref());
        if let Some(auth) = &self.auth {
            out.value("auth", to_value(auth));
        }
        out.extra(&self.extra);
    }
}

/// An authentication protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionAuth {
    /// Its name.
    pub protocol: String,
    /// Its version.
    pub version: String,
    /// Its profiles.
    pub profile: Vec<String>,
}

impl Wire for VersionAuth {
    const TYPE: &'static str = "";
    const ROOT: bool = false;

    fn read(fields: &mut Fields) -> Result<Self, MessageError> {
        Ok(VersionAuth {
            protocol: fields.text("protocol")?,
            version: fields.text("version")?,
            profile: fields.any_list("profile")?,
        })
    }

    fn write(&self, out: &mut Out) {
        let profile = self.profile.iter().map(|text| serde_json::Value::String(text.clone())).collect();
        out.text("protocol", &self.protocol).text("version", &self.version).values("profile", profile);
    }
}

serde_by_wire!(VersionResponse, Version, VersionAuth);
