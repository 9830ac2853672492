//! A catalog for the tests of this crate.

use crate::model::*;

pub(crate) const BASE: &str = "https://data.example.vn";

pub(crate) fn agency() -> Agent {
    Agent {
        id: "urn:agency:vn:h26.18".to_owned(),
        name: "urn-agency-vn-h26-18".to_owned(),
        title: Text::new("Sở Tài nguyên và Môi trường", "Department of Environment"),
    }
}

pub(crate) fn dataset(name: &str) -> Dataset {
    Dataset {
        name: name.to_owned(),
        identifier: format!("urn:agency:vn:h26.18:{name}"),
        title: Text::new(format!("Chất lượng không khí {name}"), "Air quality"),
        description: Text::new("Trị số đo từng giờ", ""),
        keywords: vec!["không khí".to_owned(), "môi trường".to_owned()],
        publisher: agency(),
        theme: Some(Theme { name: "moi-truong".to_owned(), title: "Môi trường".to_owned() }),
        version: 3,
        rights: AccessRights::Public,
        sharing: Some("open".to_owned()),
        licence: Some("CC-BY-4.0".to_owned()),
        every: Some(Every::Hour),
        issued: 1_700_000_000,
        modified: 1_759_276_800,
        distributions: vec![Distribution {
            name: "odata".to_owned(),
            title: Text::new("Truy vấn OData", "OData query"),
            form: Form::OData,
            access_url: format!("{BASE}/odata/v4/{name}"),
            download_url: None,
            bytes: None,
            sha256: None,
        }],
        columns: vec![Column {
            name: "pm25".to_owned(),
            kind: "number".to_owned(),
            description: Text::new("Bụi mịn", "Fine dust"),
        }],
    }
}

/// One that may be known but not had.
pub(crate) fn restricted(name: &str) -> Dataset {
    Dataset {
        rights: AccessRights::Restricted,
        sharing: None,
        licence: Some("Theo thoả thuận".to_owned()),
        distributions: Vec::new(),
        columns: Vec::new(),
        theme: None,
        every: None,
        ..dataset(name)
    }
}

pub(crate) fn catalog(datasets: Vec<Dataset>) -> Catalog {
    Catalog {
        base: BASE.to_owned(),
        publisher: agency(),
        title: Text::new("Danh mục dữ liệu", "Data catalog"),
        description: Text::default(),
        services: vec![Service {
            name: "odata".to_owned(),
            title: Text::new("OData", ""),
            form: Form::OData,
            endpoint_url: format!("{BASE}/odata/v4/"),
            description_url: Some(format!("{BASE}/odata/v4/$metadata")),
        }],
        datasets,
    }
}
