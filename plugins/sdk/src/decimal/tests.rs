//! Decimals against numbers worked out by hand.

use super::*;

#[test]
fn text_is_read_exactly() {
    let cents = |text: &str| Decimal::<2>::parse(text).map(Decimal::units);
    assert_eq!(cents("41"), Ok(4100));
    assert_eq!(cents("-41.5"), Ok(-4150));
    assert_eq!(cents("0.10000"), Ok(10));
    assert_eq!(cents("0.101"), Err(ParseDecimalError::Scale));
    for bad in ["", "-", ".5", "5.", "+1", "1e3", "1,0", "1.2.3", " 1", "--1"] {
        assert_eq!(cents(bad), Err(ParseDecimalError::Syntax), "{bad:?}");
    }
    assert_eq!(cents("999999999999999999999999999999999999999"), Err(ParseDecimalError::Range));
    const GOLD: Decimal<2> = decimal!("1000.00");
    assert_eq!(GOLD, Decimal::from_int(1000));
}

#[test]
fn text_is_written_with_all_digits() {
    assert_eq!(Decimal::<2>::from_units(-5).to_string(), "-0.05");
    assert_eq!(Decimal::<0>::from_units(7).to_string(), "7");
    assert_eq!(format!("{:>8}", Decimal::<2>::from_units(4100)), "   41.00");
    assert_eq!(format!("{:?}", Decimal::<3>::from_units(i128::MIN)).len(), 41);
}

#[test]
fn every_rounding_does_what_its_name_says() {
    use Rounding::*;
    let table = [
        // 2.5, 3.5, -2.5, 2.4, 2.6, -2.6
        (HalfEven, [2, 4, -2, 2, 3, -3]),
        (HalfUp, [3, 4, -3, 2, 3, -3]),
        (HalfDown, [2, 3, -2, 2, 3, -3]),
        (Up, [3, 4, -3, 3, 3, -3]),
        (Down, [2, 3, -2, 2, 2, -2]),
        (Ceiling, [3, 4, -2, 3, 3, -2]),
        (Floor, [2, 3, -3, 2, 2, -3]),
    ];
    for (rounding, expected) in table {
        let values = [25, 35, -25, 24, 26, -26].map(Decimal::<1>::from_units);
        assert_eq!(values.map(|v| v.rescale::<0>(rounding).units()), expected, "{rounding:?}");
    }
}

#[test]
fn products_and_quotients_keep_the_first_scale() {
    let net: Decimal<2> = decimal!("10.05");
    let rate: Decimal<4> = decimal!("0.1925");
    assert_eq!(net.mul(rate, Rounding::HalfEven), decimal!("1.93"));
    assert_eq!(net.div(Decimal::<0>::from_int(3), Rounding::Down), decimal!("3.35"));
    assert_eq!(net * -2, decimal!("-20.10"));
    assert_eq!([net, -net, net].iter().sum::<Decimal<2>>(), net);
    assert_eq!(net.rescale::<4>(Rounding::Down).to_string(), "10.0500");
}

#[test]
#[should_panic(expected = "decimal overflow: add of 1701411834604692317316873037158841057.27")]
fn overflow_is_a_panic() {
    let _ = Decimal::<2>::from_units(i128::MAX) + Decimal::from_units(1);
}

#[test]
#[should_panic(expected = "92233720368547758.08 does not fit a record: it is beyond 64 bits")]
fn what_does_not_fit_a_column_is_a_panic() {
    Decimal::<2>::from_units(i128::from(i64::MAX) + 1).to_column();
}
