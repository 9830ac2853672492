//! The messages of a transfer (DSP 2025-1, transfer process protocol).

use serde_json::{Value, json};

use super::error::{IdError, MessageError};
use super::id::{Address, Extra, Id};
use super::negotiation::caused;
use super::wire::{Cause, Fields, Out, Pids, Wire, kind, ours, serde_by_wire};
use crate::json;
use crate::limits::QUERY_BYTES_MAX;
use crate::transfer::State;

/// The consumer asks for a transfer under an agreement (`POST …/transfers/request`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransferRequestMessage {
    /// The consumer's pid.
    pub consumer_pid: Id,
    /// The agreement.
    pub agreement_id: Id,
    /// The distribution's format, such as `HttpData-PULL`.
    pub format: Id,
    /// Where the consumer wants the answers.
    pub callback_address: Address,
    /// Where to deliver, for push formats only.
    pub data_address: Option<DataAddress>,
    /// Ours: which part of the dataset, see [`TransferRequestMessage::set_query`].
    query: Option<Value>,
    /// Properties that the protocol does not know.
    pub extra: Extra,
}

impl TransferRequestMessage {
    /// A request for a pull transfer of the whole dataset.
    #[must_use]
    pub fn pull(consumer_pid: Id, agreement_id: Id, format: Id, callback_address: Address) -> Self {
        let extra = Extra::none();
        TransferRequestMessage {
            consumer_pid,
            agreement_id,
            format,
            callback_address,
            data_address: None,
            query: None,
            extra,
        }
    }

    /// Ask for a part only: a JSON object of at most 16 KiB in canonical form. The server interprets it.
    pub fn set_query(&mut self, query: Value) -> Result<(), IdError> {
        let what = "the query";
        if !query.is_object() {
            return Err(IdError::Form { what, text: kind(&query).to_owned(), advice: "make it an object" });
        }
        let found = json::canonical(&query).map_or(usize::MAX, |bytes| bytes.len());
        if found > QUERY_BYTES_MAX {
            return Err(IdError::TooLong { what, found, limit: QUERY_BYTES_MAX });
        }
        self.query = Some(query);
        Ok(())
    }

    /// Which part of the dataset is asked for; `None` is the whole.
    #[must_use]
    pub fn query(&self) -> Option<&Value> {
        self.query.as_ref()
    }
}

impl Wire for TransferRequestMessage {
    const TYPE: &'static str = "TransferRequestMessage";
    const ROOT: bool = true;

    fn read(fields: &mut Fields) -> Result<Self, MessageError> {
        let term = ours("query");
        let query = fields.take(&term);
        let mut message = TransferRequestMessage {
            consumer_pid: fields.id("consumerPid")?,
            agreement_id: fields.id("agreementId")?,
            format: fields.id("format")?,
            callback_address: fields.address("callbackAddress")?,
            data_address: fields.object("dataAddress")?,
            query: None,
            extra: Extra::none(),
        };
        if let Some(query) = query {
            let set = message.set_query(json_literal(query));
            set.map_err(|error| fields.wrong(&term, "a query", "something else", &error.to_string()))?;
        }
        message.extra = fields.extra();
        Ok(message)
    }

    fn write(&self, out: &mut Out) {
        out.text("consumerPid", self.consumer_pid.as_str())
            .text("agreementId", self.agreement_id.as_str())
            .text("format", self.format.as_str())
            .text("callbackAddress", self.callback_address.as_str());
        if let Some(address) = &self.data_address {
            out.object("dataAddress", address);
        }
        if let Some(query) = &self.query {
            out.value(&ours("query"), json!({ "@type": "@json", "@value": query }));
        }
        out.extra(&self.extra);
    }
}

/// The value inside a JSON literal (JSON-LD 1.1 section 4.2.2); a bare value is taken as it is.
pub(crate) fn json_literal(mut value: Value) -> Value {
    if value.get("@type").and_then(Value::as_str) != Some("@json") {
        return value;
    }
    value.get_mut("@value").map(Value::take).unwrap_or_default()
}

/// The provider opens the data, or either party resumes (`POST …/transfers/{pid}/start`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransferStartMessage {
    /// Both pids.
    pub pids: Pids,
    /// Where the data is, for pull formats.
    pub data_address: Option<DataAddress>,
    /// Properties that the protocol does not know.
    pub extra: Extra,
}

impl Wire for TransferStartMessage {
    const TYPE: &'static str = "TransferStartMessage";
    const ROOT: bool = true;

    fn read(fields: &mut Fields) -> Result<Self, MessageError> {
        Ok(TransferStartMessage {
            pids: fields.pids()?,
            data_address: fields.object("dataAddress")?,
            extra: fields.extra(),
        })
    }

    fn write(&self, out: &mut Out) {
        out.pids(&self.pids);
        if let Some(address) = &self.data_address {
            out.object("dataAddress", address);
        }
        out.extra(&self.extra);
    }
}

/// Either party pauses (`POST …/transfers/{pid}/suspension`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransferSuspensionMessage {
    /// Both pids.
    pub pids: Pids,
    /// Why.
    pub cause: Cause,
    /// Properties that the protocol does not know.
    pub extra: Extra,
}

/// Either party ends the transfer before it is complete (`POST …/transfers/{pid}/termination`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransferTerminationMessage {
    /// Both pids.
    pub pids: Pids,
    /// Why.
    pub cause: Cause,
    /// Properties that the protocol does not know.
    pub extra: Extra,
}

/// A refusal of a message about a transfer; it changes no state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransferError {
    /// Both pids.
    pub pids: Pids,
    /// Why.
    pub cause: Cause,
    /// Properties that the protocol does not know.
    pub extra: Extra,
}

/// Everything was transferred (`POST …/transfers/{pid}/completion`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransferCompletionMessage {
    /// Both pids.
    pub pids: Pids,
    /// Properties that the protocol does not know.
    pub extra: Extra,
}

impl Wire for TransferCompletionMessage {
    const TYPE: &'static str = "TransferCompletionMessage";
    const ROOT: bool = true;

    fn read(fields: &mut Fields) -> Result<Self, MessageError> {
        Ok(TransferCompletionMessage { pids: fields.pids()?, extra: fields.extra() })
    }

    fn write(&self, out: &mut Out) {
        out.pids(&self.pids).extra(&self.extra);
    }
}

/// The state of a transfer, as the answer to a request or to a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransferProcess {
    /// Both pids.
    pub pids: Pids,
    /// The state.
    pub state: State,
    /// Properties that the protocol does not know.
    pub extra: Extra,
}

impl Wire for TransferProcess {
    const TYPE: &'static str = "TransferProcess";
    const ROOT: bool = true;

    fn read(fields: &mut Fields) -> Result<Self, MessageError> {
        let words = State::ALL.map(|state| (state.word(), state));
        Ok(TransferProcess {
            pids: fields.pids()?,
            state: fields.word("state", &words)?,
            extra: fields.extra(),
        })
    }

    fn write(&self, out: &mut Out) {
        out.pids(&self.pids).text("state", self.state.word()).extra(&self.extra);
    }
}

/// Eclipse's connector writes the names of its properties with this before them.
const ECLIPSE: &str = "https://w3id.org/edc/v0.0.1/ns/";

/// Where data is, or is to be delivered. Its properties may hold a token: `Debug` does not show them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataAddress {
    /// The kind of endpoint, an IRI.
    pub endpoint_type: Id,
    /// The endpoint, a URL.
    pub endpoint: Option<Address>,
    /// Named values, such as `authorization` and `authType`.
    pub properties: Vec<EndpointProperty>,
    /// Properties that the protocol does not know.
    pub extra: Extra,
}

impl DataAddress {
    /// An endpoint that wants a bearer token.
    pub fn bearer(endpoint_type: Id, endpoint: Address, token: &str) -> Result<DataAddress, IdError> {
        let properties = vec![
            EndpointProperty::new("authorization", token)?,
            EndpointProperty::new("authType", "bearer")?,
        ];
        Ok(DataAddress { endpoint_type, endpoint: Some(endpoint), properties, extra: Extra::none() })
    }

    /// The same with the endpoint among the properties, too: Eclipse's connector reads it there and nowhere else.
    ///
    /// # Errors
    /// [`IdError`] if the endpoint cannot be a value.
    pub fn for_eclipse(mut self) -> Result<DataAddress, IdError> {
        if let Some(endpoint) = &self.endpoint {
            self.properties.push(EndpointProperty::new(&format!("{ECLIPSE}endpoint"), endpoint.as_str())?);
        }
        Ok(self)
    }

    /// The value of a named property; `None` as well when the name stands there twice, since then it is not clear.
    #[must_use]
    pub fn property(&self, name: &str) -> Option<&str> {
        let own = |property: &&EndpointProperty| {
            property.name.strip_prefix(ECLIPSE).unwrap_or(&property.name) == name
        };
        let mut found = self.properties.iter().filter(own);
        match (found.next(), found.next()) {
            (Some(property), None) => Some(&property.value),
            _ => None,
        }
    }

    /// Where data is pulled from: the endpoint, or the property in which Eclipse's connector names it.
    #[must_use]
    pub fn place(&self) -> Option<&str> {
        self.endpoint.as_ref().map(Address::as_str).or_else(|| self.property("endpoint"))
    }

    /// The bearer token: `authorization` under `authType` bearer.
    #[must_use]
    pub fn bearer_token(&self) -> Option<&str> {
        let bearer = self.property("authType")?.eq_ignore_ascii_case("bearer");
        self.property("authorization").filter(|_| bearer)
    }
}

impl Wire for DataAddress {
    const TYPE: &'static str = "DataAddress";
    const ROOT: bool = false;

    fn read(fields: &mut Fields) -> Result<Self, MessageError> {
        Ok(DataAddress {
            endpoint_type: fields.id("endpointType")?,
            endpoint: fields.opt_address("endpoint")?,
            properties: fields.list("endpointProperties")?,
            extra: fields.extra(),
        })
    }

    fn write(&self, out: &mut Out) {
        out.text("endpointType", self.endpoint_type.as_str())
            .opt_text("endpoint", self.endpoint.as_ref().map(Address::as_str))
            .list("endpointProperties", &self.properties)
            .extra(&self.extra);
    }
}

/// One named value of a data address.
#[derive(Clone, PartialEq, Eq)]
pub struct EndpointProperty {
    name: String,
    value: String,
}

impl EndpointProperty {
    /// A named value; both at most 4 KiB and without control characters.
    pub fn new(name: &str, value: &str) -> Result<EndpointProperty, IdError> {
        let what = "the endpoint property";
        let limit = crate::limits::TEXT_BYTES_MAX;
        if name.is_empty() {
            return Err(IdError::Blank { what });
        }
        let found = name.len().max(value.len());
        if found > limit {
            return Err(IdError::TooLong { what, found, limit });
        }
        if name.chars().chain(value.chars()).any(char::is_control) {
            let text = super::error::short(name);
            return Err(IdError::Form { what, text, advice: "leave out control characters" });
        }
        Ok(EndpointProperty { name: name.to_owned(), value: value.to_owned() })
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The value; it may be a secret.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }
}

impl std::fmt::Debug for EndpointProperty {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EndpointProperty").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Wire for EndpointProperty {
    const TYPE: &'static str = "EndpointProperty";
    const ROOT: bool = false;

    fn read(fields: &mut Fields) -> Result<Self, MessageError> {
        let (name, value) = (fields.text("name")?, fields.text("value")?);
        // The refusal must not repeat the value: it may be a token.
        EndpointProperty::new(&name, &value)
            .map_err(|error| fields.wrong("value", "a short text", "something else", &error.to_string()))
    }

    fn write(&self, out: &mut Out) {
        out.text("name", &self.name).text("value", &self.value);
    }
}

caused!(TransferSuspensionMessage, TransferTerminationMessage, TransferError);

serde_by_wire!(
    TransferRequestMessage,
    TransferStartMessage,
    TransferSuspensionMessage,
    TransferTerminationMessage,
    TransferCompletionMessage,
    TransferError,
    TransferProcess,
    DataAddress,
    EndpointProperty,
);
