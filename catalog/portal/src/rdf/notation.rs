//! Statements as Turtle, RDF/XML or JSON-LD.

use std::io;

use oxrdf::{GraphName, QuadRef, Triple};
use thiserror::Error;

use crate::vocabulary::PREFIXES;

/// How statements are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notation {
    /// RDF 1.1 Turtle.
    Turtle,
    /// RDF 1.1 XML Syntax.
    RdfXml,
    /// JSON-LD 1.1, with its context inside: nothing must be fetched to read it.
    JsonLd,
}

/// Statements that cannot be written: a mistake of this crate, never of the asker.
#[derive(Debug, Error)]
pub enum NotationError {
    /// A prefix that is no IRI.
    #[error("the prefix `{0}` cannot be written")]
    Prefix(&'static str),
    /// A statement that the notation has no form for.
    #[error("a statement cannot be written in this notation: {0}")]
    Write(#[from] io::Error),
}

impl Notation {
    /// All of them, in the order in which pages link to them.
    pub const ALL: [Notation; 3] = [Notation::Turtle, Notation::RdfXml, Notation::JsonLd];

    /// The ending of addresses, without the dot.
    pub fn ending(self) -> &'static str {
        match self {
            Notation::Turtle => "ttl",
            Notation::RdfXml => "rdf",
            Notation::JsonLd => "jsonld",
        }
    }

    /// What an ending means; `xml` is RDF/XML, as CKAN's harvesters write it.
    pub fn of_ending(ending: &str) -> Option<Self> {
        match ending {
            "xml" => Some(Notation::RdfXml),
            _ => Notation::ALL.into_iter().find(|notation| notation.ending() == ending),
        }
    }

    /// The media type, without parameters: harvesters look it up as it stands.
    pub fn media_type(self) -> &'static str {
        match self {
            Notation::Turtle => "text/turtle",
            Notation::RdfXml => "application/rdf+xml",
            Notation::JsonLd => "application/ld+json",
        }
    }

    /// Writes statements.
    pub fn write(self, statements: &[Triple]) -> Result<Vec<u8>, NotationError> {
        match self {
            Notation::Turtle => turtle(statements),
            Notation::RdfXml => rdf_xml(statements),
            Notation::JsonLd => json_ld(statements),
        }
    }
}

fn turtle(statements: &[Triple]) -> Result<Vec<u8>, NotationError> {
    let mut form = oxttl::TurtleSerializer::new();
    for (prefix, iri) in PREFIXES {
        form = form.with_prefix(prefix, iri).map_err(|_| NotationError::Prefix(prefix))?;
    }
    let mut out = form.for_writer(Vec::new());
    for statement in statements {
        out.serialize_triple(statement)?;
    }
    Ok(out.finish()?)
}

fn rdf_xml(statements: &[Triple]) -> Result<Vec<u8>, NotationError> {
    let mut form = oxrdfxml::RdfXmlSerializer::new();
    for (prefix, iri) in PREFIXES {
        form = form.with_prefix(prefix, iri).map_err(|_| NotationError::Prefix(prefix))?;
    }
    let mut out = form.for_writer(Vec::new());
    for statement in statements {
        out.serialize_triple(statement)?;
    }
    Ok(out.finish()?)
}

fn json_ld(statements: &[Triple]) -> Result<Vec<u8>, NotationError> {
    let mut form = oxjsonld::JsonLdSerializer::new();
    for (prefix, iri) in PREFIXES {
        form = form.with_prefix(prefix, iri).map_err(|_| NotationError::Prefix(prefix))?;
    }
    let mut out = form.for_writer(Vec::new());
    for statement in statements {
        let quad = QuadRef::new(
            &statement.subject,
            &statement.predicate,
            &statement.object,
            GraphName::DefaultGraph.as_ref(),
        );
        out.serialize_quad(quad)?;
    }
    Ok(out.finish()?)
}
