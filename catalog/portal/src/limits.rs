//! Every limit of this crate, with its reason.

/// Datasets on one page of an RDF catalog. A dataset takes about 2 KiB in the longest notation (RDF/XML); a page then
/// stays near 200 KiB, far below the 50 MB at which `ckanext-dcat` gives up.
pub const CATALOG_PAGE: usize = 100;

/// Datasets on one page of HTML: what a person looks through.
pub const HTML_PAGE: usize = 20;

/// Packages in one answer when `rows` says more: CKAN's own ceiling (`ckan.search.rows_max`), which clients know.
pub const CKAN_ROWS_MAX: usize = 1_000;

/// Packages in one answer when `rows` says nothing: CKAN's own.
pub const CKAN_ROWS: usize = 10;

/// Packages with resources in one answer when `limit` says nothing or more, for `current_package_list_with_resources`.
pub const CKAN_LIST_MAX: usize = 1_000;

/// Values of one facet in an answer when `facet.limit` says nothing: CKAN's own.
pub const CKAN_FACETS: usize = 50;

/// Facets in one answer, and values of each whatever `facet.limit` says: each is counted over everything found.
pub const CKAN_FACET_FIELDS_MAX: usize = 16;
/// See [`CKAN_FACET_FIELDS_MAX`].
pub const CKAN_FACET_VALUES_MAX: usize = 1_000;

/// Filter queries in one question, and fields that an answer is sorted by: clients send one or two.
pub const CKAN_FILTERS_MAX: usize = 16;
/// See [`CKAN_FILTERS_MAX`].
pub const CKAN_SORTS_MAX: usize = 8;

/// Bytes of a filter query: the longest that harvesters make names some dozens of organizations.
pub const FILTER_BYTES_MAX: usize = 16 * 1024;

/// Terms of a filter query: as many as fit into its bytes by far, and few enough to be tried on every dataset.
pub const FILTER_TERMS_MAX: usize = 256;

/// Parentheses within parentheses in a filter query: people write two; each costs stack.
pub const FILTER_DEPTH_MAX: usize = 16;

/// Fewest characters of a description that Google's Dataset Search takes.
pub const SCHEMA_DESCRIPTION_MIN: usize = 50;

/// Most characters of a description that Google's Dataset Search takes.
pub const SCHEMA_DESCRIPTION_MAX: usize = 5_000;

/// Addresses in one sitemap: the most that the sitemap protocol allows.
pub const SITEMAP_URLS: usize = 50_000;

/// Bytes of a word for addresses ([`crate::slug`]): CKAN's names end at 100.
pub const SLUG_BYTES_MAX: usize = 64;

/// Characters of a dataset's description in lists of HTML.
pub const SUMMARY_CHARS: usize = 280;

/// Characters of a keyword: the longest tag that CKAN takes.
pub const KEYWORD_CHARS_MAX: usize = 100;
