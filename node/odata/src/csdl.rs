//! `$metadata`: the entity model as CSDL (CSDL XML 4.01 and CSDL JSON 4.01, written so that 4.0 reads it).

use std::io;

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, Event};
use serde_json::{Map, Value, json};

use crate::model::{CONTAINER, NAMESPACE};
use crate::{ColumnKind, EntitySet, Function, Model, Property};

/// What a text is annotated with.
const DESCRIPTION: &str = "Org.OData.Core.V1.Description";
/// What the sets of the container cannot do, each with its property: they are read only.
const RESTRICTED: [(&str, &str); 5] = [
    ("Org.OData.Capabilities.V1.InsertRestrictions", "Insertable"),
    ("Org.OData.Capabilities.V1.UpdateRestrictions", "Updatable"),
    ("Org.OData.Capabilities.V1.DeleteRestrictions", "Deletable"),
    ("Org.OData.Capabilities.V1.ExpandRestrictions", "Expandable"),
    ("Org.OData.Capabilities.V1.SearchRestrictions", "Searchable"),
];
const FUNCTIONS: &str = "Org.OData.Capabilities.V1.FilterFunctions";
/// Where the vocabularies stand whose terms are used.
const VOCABULARIES: [(&str, &str); 2] = [
    (
        "https://oasis-tcs.github.io/odata-vocabularies/vocabularies/Org.OData.Core.V1.xml",
        "Org.OData.Core.V1",
    ),
    (
        "https://oasis-tcs.github.io/odata-vocabularies/vocabularies/Org.OData.Capabilities.V1.xml",
        "Org.OData.Capabilities.V1",
    ),
];

/// What a property is called in the table and what it means, for people.
fn described(property: &Property) -> String {
    let (name, told) = (&property.column.name, &property.column.description);
    let parts =
        [Some(name).filter(|name| **name != property.name), Some(told).filter(|told| !told.is_empty())];
    let parts: Vec<&str> = parts.into_iter().flatten().map(String::as_str).collect();
    parts.join(" — ")
}

/// Digits behind the second that times have.
const PRECISION: &str = "6";

/// As XML.
///
/// # Errors
/// None that a buffer in memory can have.
pub fn xml(model: &Model) -> io::Result<String> {
    let mut writer = Writer::new(Vec::new());
    writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("utf-8"), None)))?;
    let edmx = writer
        .create_element("edmx:Edmx")
        .with_attributes([("Version", "4.0"), ("xmlns:edmx", "http://docs.oasis-open.org/odata/ns/edmx")]);
    edmx.write_inner_content(|w| {
        for (uri, namespace) in VOCABULARIES {
            w.create_element("edmx:Reference").with_attribute(("Uri", uri)).write_inner_content(|w| {
                w.create_element("edmx:Include").with_attribute(("Namespace", namespace)).write_empty()?;
                Ok(())
            })?;
        }
        w.create_element("edmx:DataServices").write_inner_content(|w| schema(w, model))?;
        Ok(())
    })?;
    String::from_utf8(writer.into_inner()).map_err(io::Error::other)
}

type Xml = Writer<Vec<u8>>;

fn schema(w: &mut Xml, model: &Model) -> io::Result<()> {
    let attributes = [("xmlns", "http://docs.oasis-open.org/odata/ns/edm"), ("Namespace", NAMESPACE)];
    w.create_element("Schema").with_attributes(attributes).write_inner_content(|w| {
        for set in &model.sets {
            entity_type(w, set)?;
        }
        w.create_element("EntityContainer").with_attribute(("Name", CONTAINER)).write_inner_content(|w| {
            for set in &model.sets {
                let kind = format!("{NAMESPACE}.{}", set.name);
                let attributes = [("Name", set.name.as_str()), ("EntityType", kind.as_str())];
                let element = w.create_element("EntitySet").with_attributes(attributes);
                element.write_inner_content(|w| {
                    annotation(w, &set.title)?;
                    for (term, property) in RESTRICTED {
                        restriction(w, term, property)?;
                    }
                    Ok(())
                })?;
            }
            functions(w)
        })?;
        Ok(())
    })?;
    Ok(())
}

fn entity_type(w: &mut Xml, set: &EntitySet) -> io::Result<()> {
    w.create_element("EntityType").with_attribute(("Name", set.name.as_str())).write_inner_content(|w| {
        w.create_element("Key").write_inner_content(|w| {
            w.create_element("PropertyRef").with_attribute(("Name", set.key.as_str())).write_empty()?;
            Ok(())
        })?;
        let key = [("Name", set.key.as_str()), ("Type", ColumnKind::Integer.edm()), ("Nullable", "false")];
        w.create_element("Property").with_attributes(key).write_empty()?;
        for property in &set.properties {
            let kind = property.column.kind;
            let mut attributes = vec![("Name", property.name.as_str()), ("Type", kind.edm())];
            if !property.column.nullable {
                attributes.push(("Nullable", "false"));
            }
            if kind == ColumnKind::Timestamp {
                attributes.push(("Precision", PRECISION));
            }
            let element = w.create_element("Property").with_attributes(attributes);
            let text = described(property);
            if text.is_empty() {
                element.write_empty()?;
            } else {
                element.write_inner_content(|w| annotation(w, &text))?;
            }
        }
        Ok(())
    })?;
    Ok(())
}

/// What people wrote, without the characters that XML 1.0 has no way to write.
fn annotation(w: &mut Xml, text: &str) -> io::Result<()> {
    let allowed = |c: &char| !c.is_control() || matches!(c, '\t' | '\n' | '\r');
    let text: String = text.chars().filter(|c| allowed(c) && !matches!(c, '\u{FFFE}' | '\u{FFFF}')).collect();
    if !text.is_empty() {
        let attributes = [("Term", DESCRIPTION), ("String", text.as_str())];
        w.create_element("Annotation").with_attributes(attributes).write_empty()?;
    }
    Ok(())
}

fn restriction(w: &mut Xml, term: &str, property: &str) -> io::Result<()> {
    w.create_element("Annotation").with_attribute(("Term", term)).write_inner_content(|w| {
        w.create_element("Record").write_inner_content(|w| {
            let attributes = [("Property", property), ("Bool", "false")];
            w.create_element("PropertyValue").with_attributes(attributes).write_empty()?;
            Ok(())
        })?;
        Ok(())
    })?;
    Ok(())
}

fn functions(w: &mut Xml) -> io::Result<()> {
    w.create_element("Annotation").with_attribute(("Term", FUNCTIONS)).write_inner_content(|w| {
        w.create_element("Collection").write_inner_content(|w| {
            for (function, _) in crate::functions::ALL {
                let text = quick_xml::events::BytesText::new(Function::name(function));
                w.create_element("String").write_text_content(text)?;
            }
            Ok(())
        })?;
        Ok(())
    })?;
    Ok(())
}

/// As JSON.
#[must_use]
pub fn json(model: &Model) -> Value {
    let references: Map<String, Value> = VOCABULARIES
        .iter()
        .map(|(uri, namespace)| ((*uri).to_owned(), json!({"$Include": [{"$Namespace": namespace}]})))
        .collect();
    let mut schema = Map::new();
    let mut container = Map::from_iter([("$Kind".to_owned(), json!("EntityContainer"))]);
    for set in &model.sets {
        schema.insert(set.name.clone(), json_type(set));
        let mut entry = Map::from_iter([
            ("$Collection".to_owned(), json!(true)),
            ("$Type".to_owned(), json!(format!("{NAMESPACE}.{}", set.name))),
        ]);
        if !set.title.is_empty() {
            entry.insert(format!("@{DESCRIPTION}"), json!(set.title));
        }
        for (term, property) in RESTRICTED {
            entry.insert(format!("@{term}"), json!({ property: false }));
        }
        container.insert(set.name.clone(), Value::Object(entry));
    }
    let names: Vec<&str> = crate::functions::ALL.iter().map(|(_, name)| *name).collect();
    container.insert(format!("@{FUNCTIONS}"), json!(names));
    schema.insert(CONTAINER.to_owned(), Value::Object(container));
    json!({
        "$Version": "4.0",
        "$Reference": references,
        "$EntityContainer": format!("{NAMESPACE}.{CONTAINER}"),
        NAMESPACE: schema,
    })
}

fn json_type(set: &EntitySet) -> Value {
    let mut entry = Map::from_iter([
        ("$Kind".to_owned(), json!("EntityType")),
        ("$Key".to_owned(), json!([set.key])),
        (set.key.clone(), json!({"$Type": ColumnKind::Integer.edm()})),
    ]);
    for property in &set.properties {
        let kind = property.column.kind;
        let mut told = Map::from_iter([("$Type".to_owned(), json!(kind.edm()))]);
        if property.column.nullable {
            told.insert("$Nullable".to_owned(), json!(true));
        }
        if kind == ColumnKind::Timestamp {
            told.insert("$Precision".to_owned(), json!(6));
        }
        let text = described(property);
        if !text.is_empty() {
            told.insert(format!("@{DESCRIPTION}"), json!(text));
        }
        entry.insert(property.name.clone(), Value::Object(told));
    }
    Value::Object(entry)
}
