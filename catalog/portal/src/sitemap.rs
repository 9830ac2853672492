//! Sitemaps (sitemaps.org, protocol 0.9) and `robots.txt` (RFC 9309).

use std::fmt::Write;

use crate::limits::SITEMAP_URLS;
use crate::model::dataset_url;
use crate::paging::Page;
use crate::text::rfc3339;

/// Names and times of change of what stands in the sitemap.
pub type Entry<'a> = (&'a str, i64);

/// The sitemap: one list where all fits into one, else an index of lists (`page` says which list is meant).
pub fn write(base: &str, entries: &[Entry<'_>], page: Option<usize>) -> String {
    let whole = Page::new(page.unwrap_or(1), SITEMAP_URLS, entries.len());
    if page.is_none() && whole.last() > 1 {
        index(base, whole.last())
    } else {
        list(base, whole.cut(entries))
    }
}

fn list(base: &str, entries: &[Entry<'_>]) -> String {
    let mut out = head("urlset");
    for (name, modified) in entries {
        let address = xml(&dataset_url(base, name));
        let _ = writeln!(out, "<url><loc>{address}</loc><lastmod>{}</lastmod></url>", rfc3339(*modified));
    }
    out.push_str("</urlset>\n");
    out
}

fn index(base: &str, last: usize) -> String {
    let mut out = head("sitemapindex");
    for number in 1..=last {
        let _ = writeln!(out, "<sitemap><loc>{}/sitemap.xml?page={number}</loc></sitemap>", xml(base));
    }
    out.push_str("</sitemapindex>\n");
    out
}

fn head(element: &str) -> String {
    let namespace = "http://www.sitemaps.org/schemas/sitemap/0.9";
    format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<{element} xmlns=\"{namespace}\">\n")
}

fn xml(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&apos;")
}

/// What search engines may look at: the pages, not the APIs.
pub fn robots(base: &str) -> String {
    format!(
        "User-agent: *\nDisallow: /api/\nDisallow: /odata/\nDisallow: /delta/\nAllow: /\nSitemap: {base}/sitemap.xml\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_catalog_has_an_index() {
        let names: Vec<String> = (0..=SITEMAP_URLS).map(|n| format!("d{n}")).collect();
        let entries: Vec<Entry<'_>> = names.iter().map(|name| (name.as_str(), 0)).collect();
        let base = "https://data.example";
        assert_eq!(write(base, &entries, None).matches("<sitemap>").count(), 2);
        assert_eq!(write(base, &entries, Some(1)).matches("<url>").count(), SITEMAP_URLS);
        assert_eq!(write(base, &entries, Some(2)).matches("<url>").count(), 1);
        assert_eq!(write(base, &entries, Some(3)).matches("<url>").count(), 0);
        let small = write(base, &entries[..1], None);
        assert!(
            small.contains(
                "<loc>https://data.example/dataset/d0</loc><lastmod>1970-01-01T00:00:00Z</lastmod>"
            )
        );
        assert!(write(base, &[], None).ends_with("</urlset>\n"));
    }
}
