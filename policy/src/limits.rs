//! Every limit of this crate, named, with its reason. What passes a limit is refused, never cut.

/// Longest name (`ag:…`, `ds:…`). An IRI of an agency plus a dataset path fits with room to spare, and a name stays
/// cheap to compare and to print.
pub const NAME_BYTES_MAX: usize = 256;
/// Longest rule id or obligation-set id: people read and cite them.
pub const RULE_ID_BYTES_MAX: usize = 64;
/// Longest column name. Real headers are sentences at times; more than this is an attack or a broken file.
pub const COLUMN_BYTES_MAX: usize = 256;
/// Longest text literal of a row predicate or a constant mask.
pub const LITERAL_BYTES_MAX: usize = 1024;
/// Longest plain text or citation shown to people.
pub const TEXT_BYTES_MAX: usize = 4096;
/// Largest single file of a rule set: 100 000 rules are about 15 MB.
pub const FILE_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Most grants or duties in one rule set: twice what was measured.
pub const RULES_MAX: usize = 200_000;
/// Most links (`g`, `g2`, `g3`) in one rule set.
pub const LINKS_MAX: usize = 500_000;
/// Most names that one name may stand under. A purpose tree or an organisation is a few levels; this stops a file
/// whose closure would grow with the square of its size.
pub const ANCESTORS_MAX: usize = 1_000;
/// Most links that are followed to find what stands above all names of one rule set: ten for each link there may be. It
/// bounds the time of a load, and its memory to some 100 MB.
pub const CLOSURE_STEPS_MAX: usize = 5_000_000;
/// Most groups, tags or collections that the facts of one question may carry.
pub const FACT_LINKS_MAX: usize = 256;
/// Most rules that one question may put before casbin. About 1 µs each: past this a decision would hold up its
/// worker, so the question is refused and the rule set needs a repair.
pub const CANDIDATES_MAX: usize = 5_000;
/// Most rules about one object that the index keeps in one list; past this it keeps a list for each subject.
pub const BUCKET_MAX: usize = 64;
/// Most decisions that one engine remembers, at some KB each.
pub const REMEMBERED_MAX: usize = 8_192;
/// Most obligation sets in one rule set.
pub const OBLIGATION_SETS_MAX: usize = 10_000;
/// Most columns, masks or group-by columns in one obligation set: the widest real table is below.
pub const COLUMNS_MAX: usize = 2_048;
/// Most row predicates in one obligation set.
pub const PREDICATES_MAX: usize = 64;
/// Most values behind one `in`.
pub const IN_VALUES_MAX: usize = 1_000;
/// Most roles that one obligation set notifies or asks for approval.
pub const ROLES_MAX: usize = 64;
/// Most rows of one test table.
pub const CASES_MAX: usize = 50_000;
/// Most problems that one load reports; the rest is counted.
pub const PROBLEMS_MAX: usize = 500;
/// Most idle pairs of enforcers kept for reuse (about 20 KB each).
pub const IDLE_JUDGES_MAX: usize = 64;
/// Most judges for fewer columns that one pair keeps besides that for all (about 20 KB each).
pub const LEAN_JUDGES_MAX: usize = 32;
/// Most near rules an explanation shows; people read no further.
pub const NEAR_RULES_MAX: usize = 20;
/// Most ways to a permit an explanation shows.
pub const HELPS_MAX: usize = 3;
/// Most hypothetical questions one explanation really decides.
pub const TRIALS_MAX: usize = 2_000;
/// Most other agreements that an explanation considers.
pub const ALTERNATIVES_MAX: usize = 64;
/// Most findings of one lint that are listed; the rest is counted.
pub const FINDINGS_MAX: usize = 1_000;
/// Most pairs of rules that one lint compares: about a second. Past it the lint says that it is not complete.
pub const COMPARISONS_MAX: u64 = 100_000_000;
/// Most other rules that one finding names.
pub const FINDING_OTHERS_MAX: usize = 5;
/// Most rules that one deny is told to collide with; the rest would not be read.
pub const OVERLAPS_MAX: usize = 20;
/// Most pairs of rule and test case that one mutation run holds against each other: a few seconds. Cases past it are
/// left out.
pub const MUTATION_PAIRS_MAX: usize = 50_000_000;
/// Most decisions that one mutation run makes (about 0.1 ms each).
pub const MUTATION_DECISIONS_MAX: usize = 50_000;
/// Most unnoticed mutants that are listed; the rest is counted.
pub const MUTANTS_LISTED_MAX: usize = 1_000;
/// Most years of one list of public holidays.
pub const CALENDAR_YEARS_MAX: usize = 200;
/// Most days off and days worked in exchange of one year.
pub const CALENDAR_DAYS_MAX: usize = 366;
/// Longest deadline, in working days: about two years.
pub const WORKING_DAYS_MAX: u32 = 500;
/// Most clauses of one pack: the longest law has fewer articles.
pub const CLAUSES_MAX: usize = 2_000;
/// Most rules, cases or tests that one clause may name.
pub const CLAUSE_NAMES_MAX: usize = 200;
/// Most thresholds of one pack.
pub const THRESHOLDS_MAX: usize = 32;
/// Examples that each group of an impact shows: enough to recognise the case, few enough to read.
pub const IMPACT_EXAMPLES: usize = 3;
/// Most groups that an impact keeps for each turn; what finds none is counted.
pub const IMPACT_GROUPS_MAX: usize = 500;
/// Most hypothetical questions that one table of access decides: a few seconds.
pub const ACCESS_DECISIONS_MAX: u64 = 200_000;
/// Most rows that one table of access shows.
pub const ACCESS_ROWS_MAX: usize = 10_000;
/// Most comparisons of two rules that one diff makes to prove which way its changes go; past that it claims nothing.
pub const DIFF_COMPARISONS_MAX: usize = 2_000_000;
/// Largest ODRL text: a rule set of 10 000 rules is about 8 MB of it.
pub const ODRL_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Deepest nesting of an ODRL text: a policy with nested `and` and `or` needs about ten.
pub const ODRL_DEPTH_MAX: usize = 32;
/// Most rows that one ODRL rule with `or` becomes.
pub const ODRL_ROWS_MAX: usize = 64;
/// Most duties of one ODRL rule: as many as an obligation set has columns and predicates.
pub const ODRL_DUTIES_MAX: usize = 4_096;
/// Most questions that are decided to find what an offer may announce: 25 µs each, for each dataset of a catalog page.
pub const WISHES_MAX: usize = 256;
/// Most permissions that are announced for one dataset.
pub const ANNOUNCEMENTS_MAX: usize = 16;
