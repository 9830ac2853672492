//! Units of measure: a written table with exact factors. What needs more than a factor (parts per million of a gas as
//! mass in a volume of air) is not there.

use bigdecimal::{BigDecimal, Zero as _};

use super::text::{fold_case, quoted};
use crate::Said;

/// Significant digits where a division does not come to an end.
const DIGITS: u64 = 15;

/// `base = (value + offset / 100) * factor / divisor`.
struct Unit {
    names: &'static [&'static str],
    of: &'static str,
    /// Hundredths, so that 273.15 is exact.
    offset: i64,
    factor: i64,
    divisor: i64,
}

const fn unit(names: &'static [&'static str], of: &'static str, factor: i64, divisor: i64) -> Unit {
    Unit { names, of, offset: 0, factor, divisor }
}

/// Sources: SI brochure (9th edition); inch, foot, mile, knot, atmosphere and degree Fahrenheit by their definitions.
const UNITS: &[Unit] = &[
    unit(&["g/m3", "mg/l"], "mass in a volume", 1_000_000_000, 1),
    unit(&["mg/m3", "ug/l"], "mass in a volume", 1_000_000, 1),
    unit(&["ug/m3"], "mass in a volume", 1_000, 1),
    unit(&["ng/m3"], "mass in a volume", 1, 1),
    unit(&["t", "tấn"], "mass", 1_000_000_000_000, 1),
    unit(&["tạ"], "mass", 100_000_000_000, 1),
    unit(&["yến"], "mass", 10_000_000_000, 1),
    unit(&["kg"], "mass", 1_000_000_000, 1),
    unit(&["g"], "mass", 1_000_000, 1),
    unit(&["mg"], "mass", 1_000, 1),
    unit(&["ug"], "mass", 1, 1),
    unit(&["km"], "length", 1_000_000_000, 1),
    unit(&["m"], "length", 1_000_000, 1),
    unit(&["dm"], "length", 100_000, 1),
    unit(&["cm"], "length", 10_000, 1),
    unit(&["mm"], "length", 1_000, 1),
    unit(&["um"], "length", 1, 1),
    unit(&["in"], "length", 25_400, 1),
    unit(&["ft"], "length", 304_800, 1),
    unit(&["mi"], "length", 1_609_344_000, 1),
    unit(&["km2"], "area", 10_000_000_000, 1),
    unit(&["ha"], "area", 100_000_000, 1),
    unit(&["m2"], "area", 10_000, 1),
    unit(&["cm2"], "area", 1, 1),
    unit(&["m3"], "volume", 1_000_000, 1),
    unit(&["l", "L"], "volume", 1_000, 1),
    unit(&["ml", "mL"], "volume", 1, 1),
    unit(&["d"], "time", 86_400, 1),
    unit(&["h"], "time", 3_600, 1),
    unit(&["min"], "time", 60, 1),
    unit(&["s"], "time", 1, 1),
    unit(&["m/s"], "speed", 3_600, 1),
    unit(&["km/h"], "speed", 1_000, 1),
    unit(&["kn"], "speed", 1_852, 1),
    unit(&["m3/s"], "flow", 86_400_000, 1),
    unit(&["l/s", "L/s"], "flow", 86_400, 1),
    unit(&["m3/h"], "flow", 24_000, 1),
    unit(&["m3/d"], "flow", 1_000, 1),
    unit(&["bar"], "pressure", 100_000, 1),
    unit(&["atm"], "pressure", 101_325, 1),
    unit(&["kPa"], "pressure", 1_000, 1),
    unit(&["hPa", "mbar"], "pressure", 100, 1),
    unit(&["Pa"], "pressure", 1, 1),
    unit(&["K"], "temperature", 1, 1),
    Unit { names: &["degC"], of: "temperature", offset: 27_315, factor: 1, divisor: 1 },
    Unit { names: &["degF"], of: "temperature", offset: 45_967, factor: 5, divisor: 9 },
    unit(&["GWh"], "energy", 3_600_000_000_000, 1),
    unit(&["MWh"], "energy", 3_600_000_000, 1),
    unit(&["kWh"], "energy", 3_600_000, 1),
    unit(&["Wh"], "energy", 3_600, 1),
    unit(&["GJ"], "energy", 1_000_000_000, 1),
    unit(&["MJ"], "energy", 1_000_000, 1),
    unit(&["kJ"], "energy", 1_000, 1),
    unit(&["J"], "energy", 1, 1),
    unit(&["GW"], "power", 1_000_000_000, 1),
    unit(&["MW"], "power", 1_000_000, 1),
    unit(&["kW"], "power", 1_000, 1),
    unit(&["W"], "power", 1, 1),
    unit(&["1"], "share", 1_000_000_000, 1),
    unit(&["%"], "share", 10_000_000, 1),
    unit(&["‰"], "share", 1_000_000, 1),
    unit(&["ppm"], "share", 1_000, 1),
    unit(&["ppb"], "share", 1, 1),
    unit(&["tỷ đồng", "tỉ đồng"], "money", 1_000_000_000, 1),
    unit(&["triệu đồng"], "money", 1_000_000, 1),
    unit(&["nghìn đồng", "ngàn đồng"], "money", 1_000, 1),
    unit(&["đồng", "VND"], "money", 1, 1),
    unit(&["triệu người"], "people", 1_000_000, 1),
    unit(&["nghìn người", "ngàn người"], "people", 1_000, 1),
    unit(&["người"], "people", 1, 1),
];

/// From one unit to another of the same kind.
#[derive(Debug, Clone)]
pub(crate) struct Conversion {
    add: BigDecimal,
    multiply: BigDecimal,
    divide: BigDecimal,
    subtract: BigDecimal,
}

impl Conversion {
    /// Finds both in the table.
    pub(crate) fn new(from: &str, to: &str) -> Result<Self, Said> {
        let (a, b) = (find(from)?, find(to)?);
        if a.of != b.of {
            let (x, y) = (quoted(from), quoted(to));
            return Err(Said::new(
                format!("không đổi được {x} sang {y}: hai đại lượng khác nhau; hãy sửa `unit`"),
                format!("{x} ({}) cannot become {y} ({}); correct `unit`", a.of, b.of),
            ));
        }
        let hundredths = |n: i64| BigDecimal::new(n.into(), 2);
        let big = |n: i64| BigDecimal::from(n);
        Ok(Self {
            add: hundredths(a.offset),
            multiply: big(a.factor) * big(b.divisor),
            divide: big(a.divisor) * big(b.factor),
            subtract: hundredths(b.offset),
        })
    }

    /// The value in the other unit: exact, or to 15 digits where a division does not come to an end.
    pub(crate) fn apply(&self, value: &BigDecimal) -> BigDecimal {
        let product = (value + &self.add) * &self.multiply;
        let quotient = &product / &self.divide;
        let exact = (&quotient * &self.divide - &product).is_zero();
        let result = quotient - &self.subtract;
        if exact { result } else { result.with_prec(DIGITS) }.normalized()
    }
}

/// Whether two names are of one unit.
pub(crate) fn same(a: &str, b: &str) -> bool {
    spelled(a) == spelled(b) || matches!((find(a), find(b)), (Ok(a), Ok(b)) if std::ptr::eq(a, b))
}

fn find(name: &str) -> Result<&'static Unit, Said> {
    let wanted = spelled(name);
    UNITS.iter().find(|unit| unit.names.iter().any(|name| spelled(name) == wanted)).ok_or_else(|| {
        let known: Vec<&str> = UNITS.iter().filter_map(|unit| unit.names.first().copied()).collect();
        let known = known.join(", ");
        Said::new(
            format!("không biết đơn vị {}; các đơn vị có sẵn: {known}", quoted(name)),
            format!("the unit {} is not known; there are: {known}", quoted(name)),
        )
    })
}

/// One spelling: `µg/m³` is `ug/m3`, `°C` is `degC`. Letters keep their case (`mg` is not `Mg`) unless they are words.
fn spelled(name: &str) -> String {
    let name = name.trim();
    if name.contains(' ') || name.chars().any(|c| c.is_alphabetic() && !c.is_ascii() && !"µμ".contains(c)) {
        return fold_case(name);
    }
    let mut text = String::new();
    for c in name.chars() {
        match c {
            'µ' | 'μ' => text.push('u'),
            '²' => text.push('2'),
            '³' => text.push('3'),
            '°' => text.push_str("deg"),
            '^' => {}
            c => text.push(c),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn convert(value: &str, from: &str, to: &str) -> String {
        Conversion::new(from, to).unwrap().apply(&value.parse().unwrap()).to_plain_string()
    }

    #[test]
    fn units_are_exact_where_they_can_be() {
        for (value, from, to, expected) in [
            ("0.07", "mg/m3", "ug/m3", "70"),
            ("0.07", "mg/m³", "µg/m³", "70"),
            ("58.8", "ug/m3", "mg/m3", "0.0588"),
            ("25", "°C", "K", "298.15"),
            ("212", "degF", "degC", "100"),
            ("-40", "degC", "degF", "-40"),
            ("100", "degF", "degC", "37.7777777777778"),
            ("1", "mi", "km", "1.609344"),
            ("36", "km/h", "m/s", "10"),
            ("1,5".replace(',', ".").as_str(), "tỷ đồng", "đồng", "1500000000"),
            ("12", "Nghìn người", "người", "12000"),
            ("12.5", "%", "1", "0.125"),
            ("1016", "hPa", "kPa", "101.6"),
        ] {
            assert_eq!(convert(value, from, to), expected, "{value} {from} {to}");
        }
    }

    #[test]
    fn every_unit_comes_back_through_every_other_of_its_kind() {
        for a in UNITS {
            for b in UNITS.iter().filter(|b| b.of == a.of) {
                let (a, b) = (a.names[0], b.names[0]);
                let there = Conversion::new(a, b).unwrap().apply(&"12.5".parse().unwrap());
                let back = Conversion::new(b, a).unwrap().apply(&there);
                let off: f64 = (back - "12.5".parse::<BigDecimal>().unwrap()).to_string().parse().unwrap();
                assert!(off.abs() < 1e-9, "{a} {b}: off by {off}");
            }
        }
    }

    #[test]
    fn names_are_told_apart_and_mixing_kinds_is_refused() {
        let mut names: Vec<String> = UNITS.iter().flat_map(|u| u.names).map(|n| spelled(n)).collect();
        let count = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), count, "no two units of one name");
        assert!(same("µg/m³", "ug/m3") && same("mg/l", "g/m3") && !same("mg", "Mg"));
        assert!(Conversion::new("ppm", "mg/m3").unwrap_err().en.contains("cannot become"));
        assert!(Conversion::new("furlong", "m").unwrap_err().vi.contains("không biết đơn vị"));
    }
}
