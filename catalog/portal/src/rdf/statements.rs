//! The statements about each thing. Which property a thing must have, and which class stands at its end, is read off the
//! profile's SHACL shapes.

use std::collections::HashSet;

use oxrdf::{Literal, NamedNode, Triple};

use super::View;
use crate::model::{AccessRights, Agent, Catalog, Dataset, Distribution, Every, Form, Service, Text, Theme};
use crate::slug;
use crate::text::{escaped, keywords, rfc3339};
use crate::vocabulary::{
    ACCESS_RIGHT, AVAILABILITY, DCAT, DCATAP, DCT, FILE_TYPE, FOAF, FREQUENCY, HYDRA, LANGUAGE, LICENCE,
    MEDIA_TYPE, RDF, SKOS, SPDX, XSD, is_address, licence,
};

/// Statements in the order in which they were made, each once.
pub(super) struct Statements<'a> {
    base: &'a str,
    list: Vec<Triple>,
    /// Things at the end of links that were described already.
    described: HashSet<String>,
}

impl<'a> Statements<'a> {
    pub(super) fn new(base: &'a str) -> Self {
        Statements { base, list: Vec::new(), described: HashSet::new() }
    }

    pub(super) fn finish(self) -> Vec<Triple> {
        self.list
    }

    pub(super) fn catalog(&mut self, catalog: &Catalog, view: &View<'_>) {
        let this = iri(&format!("{}/catalog", self.base));
        self.is_a(&this, DCAT, "Catalog");
        self.text(&this, DCT, "title", &catalog.title);
        self.text(&this, DCT, "description", catalog.description.or(&catalog.title));
        self.languages(&this);
        let publisher = self.agent(&catalog.publisher);
        self.link(&this, DCT, "publisher", &publisher);
        let home = self.thing(&format!("{}/", self.base), FOAF, "Document");
        self.link(&this, FOAF, "homepage", &home);
        if let Some(modified) = view.modified {
            self.time(&this, "modified", modified);
        }
        if view.datasets.iter().any(|dataset| dataset.theme.is_some()) {
            let themes = self.theme_scheme();
            self.link(&this, DCAT, "themeTaxonomy", &themes);
        }
        for service in &catalog.services {
            let node = self.service(service);
            self.link(&this, DCAT, "service", &node);
        }
        for dataset in view.datasets {
            let node = iri(&crate::model::dataset_url(self.base, &dataset.name));
            self.link(&this, DCAT, "dataset", &node);
        }
        self.paging(&this, view);
    }

    /// Hydra core: a view of the collection with links to its neighbours.
    fn paging(&mut self, collection: &NamedNode, view: &View<'_>) {
        let rest: String =
            view.query.iter().map(|(name, value)| format!("&{name}={}", escaped(value))).collect();
        let address = |number: usize| iri(&format!("{}?page={number}{rest}", view.address));
        let this = address(view.page.number);
        self.is_a(&this, HYDRA, "PartialCollectionView");
        self.link(collection, HYDRA, "view", &this);
        self.number(&this, HYDRA, "totalItems", "integer", view.page.total);
        self.number(&this, HYDRA, "itemsPerPage", "integer", view.page.size);
        self.link(&this, HYDRA, "first", &address(1));
        if let Some(number) = view.page.previous() {
            self.link(&this, HYDRA, "previous", &address(number));
        }
        if let Some(number) = view.page.next() {
            self.link(&this, HYDRA, "next", &address(number));
        }
        self.link(&this, HYDRA, "last", &address(view.page.last()));
    }

    pub(super) fn service(&mut self, service: &Service) -> NamedNode {
        let this = iri(&service_iri(self.base, &service.name));
        self.is_a(&this, DCAT, "DataService");
        self.text(&this, DCT, "title", &service.title);
        self.link(&this, DCAT, "endpointURL", &iri(&service.endpoint_url));
        if let Some(address) = &service.description_url {
            self.link(&this, DCAT, "endpointDescription", &iri(address));
        }
        if let Some(standard) = standard(service.form) {
            let node = self.thing(standard, DCT, "Standard");
            self.link(&this, DCT, "conformsTo", &node);
        }
        this
    }

    pub(super) fn dataset(&mut self, dataset: &Dataset, services: &[Service]) {
        let address = crate::model::dataset_url(self.base, &dataset.name);
        let this = iri(&address);
        self.is_a(&this, DCAT, "Dataset");
        self.plain(&this, DCT, "identifier", &dataset.identifier);
        self.text(&this, DCT, "title", &dataset.title);
        self.text(&this, DCT, "description", dataset.description.or(&dataset.title));
        for keyword in keywords(dataset) {
            self.say(&this, DCAT, "keyword", tagged(&keyword, "vi"));
        }
        let publisher = self.agent(&dataset.publisher);
        self.link(&this, DCT, "publisher", &publisher);
        if let Some(theme) = &dataset.theme {
            let node = self.theme(theme);
            self.link(&this, DCAT, "theme", &node);
        }
        let rights = self.rights(dataset.rights);
        self.link(&this, DCT, "accessRights", &rights);
        if let Some(every) = dataset.every {
            let node = self.thing(&format!("{FREQUENCY}{}", frequency(every)), DCT, "Frequency");
            self.link(&this, DCT, "accrualPeriodicity", &node);
        }
        self.time(&this, "issued", dataset.issued);
        self.time(&this, "modified", dataset.modified);
        self.plain(&this, DCAT, "version", &dataset.version.to_string());
        let page = self.thing(&format!("{address}.html"), FOAF, "Document");
        self.link(&this, DCAT, "landingPage", &page);
        for distribution in &dataset.distributions {
            let node = self.distribution(&address, dataset, distribution, services);
            self.link(&this, DCAT, "distribution", &node);
        }
    }

    fn distribution(
        &mut self,
        dataset_address: &str,
        dataset: &Dataset,
        distribution: &Distribution,
        services: &[Service],
    ) -> NamedNode {
        let this = iri(&format!("{dataset_address}#{}", escaped(&distribution.name)));
        self.is_a(&this, DCAT, "Distribution");
        self.text(&this, DCT, "title", &distribution.title);
        self.link(&this, DCAT, "accessURL", &iri(&distribution.access_url));
        if let Some(address) = &distribution.download_url {
            self.link(&this, DCAT, "downloadURL", &iri(address));
        }
        if let Some(bytes) = distribution.bytes {
            self.number(&this, DCAT, "byteSize", "nonNegativeInteger", bytes);
        }
        if let Some(sum) = &distribution.sha256 {
            let node = self.checksum(&this, &sum.0);
            self.link(&this, SPDX, "checksum", &node);
        }
        let format =
            self.thing(&format!("{FILE_TYPE}{}", file_type(distribution.form)), DCT, "MediaTypeOrExtent");
        self.link(&this, DCT, "format", &format);
        let medium = self.thing(&format!("{MEDIA_TYPE}{}", media_type(distribution.form)), DCT, "MediaType");
        self.link(&this, DCAT, "mediaType", &medium);
        if let Some(text) = &dataset.licence {
            let node = self.licence(text);
            self.link(&this, DCT, "license", &node);
        }
        let stable = self.concept(&format!("{AVAILABILITY}AVAILABLE"), "available", "en");
        self.link(&this, DCATAP, "availability", &stable);
        if let Some(service) = services.iter().find(|service| service.name == distribution.name) {
            self.link(&this, DCAT, "accessService", &iri(&service_iri(self.base, &service.name)));
        }
        self.time(&this, "modified", dataset.modified);
        this
    }

    fn checksum(&mut self, of: &NamedNode, hex: &str) -> NamedNode {
        let this = iri(&format!("{}-checksum", of.as_str()));
        self.is_a(&this, SPDX, "Checksum");
        let algorithm = self.thing(&format!("{SPDX}checksumAlgorithm_sha256"), SPDX, "ChecksumAlgorithm");
        self.link(&this, SPDX, "algorithm", &algorithm);
        self.say(
            &this,
            SPDX,
            "checksumValue",
            Literal::new_typed_literal(hex, iri(&format!("{XSD}hexBinary"))),
        );
        this
    }

    fn agent(&mut self, agent: &Agent) -> NamedNode {
        let this = NamedNode::new(&agent.id)
            .unwrap_or_else(|_| iri(&format!("{}/organization/{}", self.base, escaped(&agent.name))));
        if self.described.insert(this.as_str().to_owned()) {
            self.is_a(&this, FOAF, "Agent");
            self.text(&this, FOAF, "name", &agent.title);
            self.plain(&this, DCT, "identifier", &agent.id);
        }
        this
    }

    fn theme_scheme(&mut self) -> NamedNode {
        let this = iri(&format!("{}/themes", self.base));
        if self.described.insert(this.as_str().to_owned()) {
            self.is_a(&this, SKOS, "ConceptScheme");
            self.text(&this, DCT, "title", &Text::new("Lĩnh vực", "Sectors"));
        }
        this
    }

    fn theme(&mut self, theme: &Theme) -> NamedNode {
        let scheme = self.theme_scheme();
        let this =
            self.concept(&format!("{}/themes#{}", self.base, escaped(&theme.name)), &theme.title, "vi");
        if self.described.insert(format!("{} in", this.as_str())) {
            self.link(&this, SKOS, "inScheme", &scheme);
        }
        this
    }

    fn concept(&mut self, address: &str, label: &str, language: &str) -> NamedNode {
        let this = iri(address);
        if self.described.insert(address.to_owned()) {
            self.is_a(&this, SKOS, "Concept");
            self.say(&this, SKOS, "prefLabel", tagged(label, language));
        }
        this
    }

    fn rights(&mut self, rights: AccessRights) -> NamedNode {
        self.thing(&format!("{ACCESS_RIGHT}{}", rights.word()), DCT, "RightsStatement")
    }

    /// A licence by the authority's list, by its own address, or, where it has only a name, as a thing of this catalog.
    fn licence(&mut self, text: &str) -> NamedNode {
        if let Some(known) = licence(text) {
            return self.thing(&format!("{LICENCE}{}", known.authority), DCT, "LicenseDocument");
        }
        if is_address(text) && NamedNode::new(text).is_ok() {
            return self.thing(text, DCT, "LicenseDocument");
        }
        let address = format!("{}/licences#{}", self.base, slug(text));
        let fresh = !self.described.contains(&address);
        let this = self.thing(&address, DCT, "LicenseDocument");
        if fresh {
            self.say(&this, DCT, "title", tagged(text, "vi"));
        }
        this
    }

    fn languages(&mut self, of: &NamedNode) {
        for word in ["VIE", "ENG"] {
            let node = self.thing(&format!("{LANGUAGE}{word}"), DCT, "LinguisticSystem");
            self.link(of, DCT, "language", &node);
        }
    }

    /// Something at the end of a link of which only the class is said.
    fn thing(&mut self, address: &str, vocabulary: &str, class: &str) -> NamedNode {
        let this = iri(address);
        if self.described.insert(address.to_owned()) {
            self.is_a(&this, vocabulary, class);
        }
        this
    }

    fn is_a(&mut self, this: &NamedNode, vocabulary: &str, class: &str) {
        let class = iri(&format!("{vocabulary}{class}"));
        self.link(this, RDF, "type", &class);
    }

    fn link(&mut self, this: &NamedNode, vocabulary: &str, property: &str, to: &NamedNode) {
        self.list.push(Triple::new(this.clone(), iri(&format!("{vocabulary}{property}")), to.clone()));
    }

    fn say(&mut self, this: &NamedNode, vocabulary: &str, property: &str, literal: Literal) {
        self.list.push(Triple::new(this.clone(), iri(&format!("{vocabulary}{property}")), literal));
    }

    fn plain(&mut self, this: &NamedNode, vocabulary: &str, property: &str, text: &str) {
        self.say(this, vocabulary, property, Literal::new_simple_literal(writable(text)));
    }

    fn text(&mut self, this: &NamedNode, vocabulary: &str, property: &str, text: &Text) {
        for (words, language) in [(&text.vi, "vi"), (&text.en, "en")] {
            if !words.trim().is_empty() {
                self.say(this, vocabulary, property, tagged(words, language));
            }
        }
    }

    fn time(&mut self, this: &NamedNode, property: &str, seconds: i64) {
        let literal = Literal::new_typed_literal(rfc3339(seconds), iri(&format!("{XSD}dateTime")));
        self.say(this, DCT, property, literal);
    }

    fn number(&mut self, this: &NamedNode, vocabulary: &str, property: &str, kind: &str, n: impl ToString) {
        let literal = Literal::new_typed_literal(n.to_string(), iri(&format!("{XSD}{kind}")));
        self.say(this, vocabulary, property, literal);
    }
}

/// An IRI from an address; what may not stand in one (a space, a bracket, a control character) is escaped.
fn iri(address: &str) -> NamedNode {
    NamedNode::new(address)
        .unwrap_or_else(|_| NamedNode::new_unchecked(format!("urn:x-unwritable:{}", escaped(address))))
}

/// A text in a language.
fn tagged(text: &str, language: &str) -> Literal {
    let text = writable(text);
    Literal::new_language_tagged_literal(&text, language)
        .unwrap_or_else(|_| Literal::new_simple_literal(text))
}

/// Without what XML 1.0 cannot hold (§2.2): else RDF/XML would say something else than the other notations. A carriage return
/// becomes a new line, which is what every reader of XML makes of it.
fn writable(text: &str) -> String {
    text.replace("\r\n", "\n")
        .replace('\r', "\n")
        .chars()
        .filter(|c| matches!(c, '\t' | '\n' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..))
        .collect()
}

fn service_iri(base: &str, name: &str) -> String {
    format!("{base}/catalog#service-{}", escaped(name))
}

fn frequency(every: Every) -> &'static str {
    match every {
        Every::Continuous => "CONT",
        Every::Hour => "HOURLY",
        Every::Day => "DAILY",
        Every::Week => "WEEKLY",
        Every::Month => "MONTHLY",
        Every::Quarter => "QUARTERLY",
        Every::Year => "ANNUAL",
        Every::Other => "OTHER",
    }
}

fn file_type(form: Form) -> &'static str {
    match form {
        Form::OData | Form::Json => "JSON",
        Form::DeltaSharing | Form::Parquet => "PARQUET",
        Form::Page => "HTML",
        Form::Csv => "CSV",
    }
}

/// IANA's media type of a form.
pub(crate) fn media_type(form: Form) -> &'static str {
    match form {
        Form::OData | Form::Json => "application/json",
        Form::DeltaSharing | Form::Parquet => "application/vnd.apache.parquet",
        Form::Page => "text/html",
        Form::Csv => "text/csv",
    }
}

fn standard(form: Form) -> Option<&'static str> {
    match form {
        Form::OData => Some("http://docs.oasis-open.org/odata/odata/v4.0/"),
        Form::DeltaSharing => Some("https://github.com/delta-io/delta-sharing/blob/main/PROTOCOL.md"),
        Form::Page | Form::Csv | Form::Json | Form::Parquet => None,
    }
}
