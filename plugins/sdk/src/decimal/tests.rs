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

#[test]
fn a_product_is_rounded_once_to_the_scale_that_is_asked_for() {
    let (quantity, price): (Decimal<3>, Decimal<4>) = (decimal!("0.049"), decimal!("0.1000"));
    let twice = quantity.mul(price, Rounding::HalfUp).rescale::<2>(Rounding::HalfUp);
    assert_eq!(twice, decimal!("0.01"), "0.0049, then 0.005, then 0.01");
    assert_eq!(quantity.mul_to::<2>(price, Rounding::HalfUp), decimal!("0.00"));
    assert_eq!(quantity.mul_to::<9>(price, Rounding::Down), decimal!("0.0049"));
    assert_eq!(quantity.mul_to::<2>(-21, Rounding::HalfEven), decimal!("-1.03"));
    assert_eq!(quantity.div_to::<2>(price, Rounding::Down), decimal!("0.49"));
    assert_eq!(price.div_to::<6>(3, Rounding::HalfUp), decimal!("0.033333"));
    let fee: Decimal<2> = decimal!("30.00");
    assert_eq!(fee.ratio(9, 31, Rounding::HalfEven), decimal!("8.71"));
    assert_eq!((-fee).ratio(9u8, 31i64, Rounding::Down), decimal!("-8.70"));
    let (part, whole): (Decimal<1>, Decimal<4>) = (decimal!("0.5"), decimal!("1.5000"));
    assert_eq!(fee.ratio(part, whole, Rounding::Up), decimal!("10.00"));
}

#[test]
fn a_hundred_in_three_loses_no_cent() {
    let parts = |amount: Decimal<2>, weights: &[i64]| {
        let parts = amount.allocate_by(weights);
        parts.iter().map(Decimal::to_string).collect::<Vec<_>>().join(" ")
    };
    let hundred: Decimal<2> = decimal!("100.00");
    assert_eq!(hundred.allocate(3), ["33.34", "33.33", "33.33"].map(|p| p.parse().unwrap()));
    assert_eq!(parts(-hundred, &[1, 1, 1]), "-33.34 -33.33 -33.33");
    // 8.333, 16.666, 75: the second lost most.
    assert_eq!(parts(hundred, &[1, 2, 9]), "8.33 16.67 75.00");
    assert_eq!(parts(decimal!("0.05"), &[0, 3, 7, 0]), "0.00 0.02 0.03 0.00");
    assert_eq!(parts(Decimal::ZERO, &[5]), "0.00");
    assert_eq!(hundred.allocate_by::<Decimal<1>>(&[decimal!("0.5"), decimal!("0.5")]).len(), 2);
}

#[test]
#[should_panic(expected = "1.00 is divided up among none")]
fn nobody_to_divide_up_among_is_a_panic() {
    let _ = Decimal::<2>::from_int(1).allocate(0);
}

proptest::proptest! {
    /// Nothing is lost, no part is a whole unit off its exact share, and the sign changes nothing.
    #[test]
    fn parts_add_up(amount: i64, weights in proptest::collection::vec(0u32..1000, 1..20)) {
        proptest::prop_assume!(weights.iter().any(|&weight| weight > 0));
        let amount = Decimal::<2>::from_units(amount.into());
        let parts = amount.allocate_by(&weights);
        proptest::prop_assert_eq!(parts.iter().sum::<Decimal<2>>(), amount);
        let whole: i128 = weights.iter().map(|&weight| i128::from(weight)).sum();
        for (part, &weight) in parts.iter().zip(&weights) {
            let off = part.units() * whole - amount.units() * i128::from(weight);
            proptest::prop_assert!(off.abs() < whole, "{part} for {weight} of {whole}");
        }
        let negated: Vec<_> = (-amount).allocate_by(&weights).into_iter().map(|p| -p).collect();
        proptest::prop_assert_eq!(negated, parts);
    }

    /// One rounding: the result is less than one unit off, half of one for the nearest.
    #[test]
    fn products_quotients_and_ratios_are_rounded_once(a: i64, b: i32, c in 1i32..) {
        let (amount, by) = (Decimal::<3>::from_units(a.into()), Decimal::<4>::from_units(b.into()));
        let product = amount.mul_to::<2>(by, Rounding::HalfEven).units() * 100_000;
        proptest::prop_assert!((product - i128::from(a) * i128::from(b)).abs() <= 50_000);
        let ratio = amount.ratio(b, c, Rounding::HalfUp).units() * i128::from(c);
        let off = ratio - i128::from(a) * i128::from(b);
        proptest::prop_assert!(2 * off.abs() <= i128::from(c));
        let quotient = amount.div_to::<3>(c, Rounding::Floor).units();
        proptest::prop_assert_eq!(quotient, i128::from(a).div_euclid(i128::from(c)));
    }
}
