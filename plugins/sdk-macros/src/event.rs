//! `#[derive(Event)]`.

use crate::float;
use crate::input::{lifetime, named, pointer, pointers, refuse, variants};
use crate::names::{plain, snake};
use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use std::collections::BTreeMap;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{DeriveInput, Error, Fields, Ident, Lifetime, LitStr, Token, Variant};

const ENUM: &str = "an event is an enum with a variant for each type of event: \
                    `#[derive(Event)] #[select(\"/type\")] enum Event { #[when(\"payment\")] \
                    Payment { .. } }`";
const WHEN: &str = "say which events this variant takes: `#[when(\"payment\")]` (the value at the \
                    enum's `#[select(\"/type\")]`), `#[when(present = \"/x\")]`, \
                    `#[when(at = \"/status\", \"open\")]`, or `#[when(any)]` for all that are left";

pub(crate) fn expand(input: &DeriveInput) -> crate::Expanded {
    let name = &input.ident;
    let variants = variants(input, ENUM)?;
    let select = select(input)?;
    let own = lifetime(input)?;
    let life = own.clone().unwrap_or_else(|| Lifetime::new("'e", name.span()));
    let type_ = if own.is_some() { quote!(#name<#life>) } else { quote!(#name) };

    let mut taken = BTreeMap::new();
    let mut inputs = Vec::new();
    let mut columns = Vec::new();
    let mut opens = Vec::new();
    let mut reads = Vec::new();
    let last = variants.len() - 1;
    for (number, variant) in variants.iter().enumerate() {
        let conditions = conditions(variant, select.as_deref())?;
        refuse_unreachable(variant, &conditions, number == last, &mut taken)?;
        inputs.push(declare(variant, &conditions)?);
        if let Fields::Unnamed(_) = variant.fields {
            let ident = &variant.ident;
            let text = format!("name the fields: `{ident} {{ amount: Decimal<2> }}`");
            return refuse(ident, text);
        }
        let types: Vec<_> = variant.fields.iter().map(|field| &field.ty).collect();
        let idents: Vec<_> = variant.fields.iter().filter_map(|f| f.ident.as_ref()).collect();
        columns.push(quote!((#(<#types as retally::__private::EventField<#life>>::Column,)*)));
        let fields = types.iter().enumerate().map(|(at, type_)| {
            quote!(<#type_ as retally::__private::EventField<#life>>::open(&columns[#number][#at]),)
        });
        opens.push(quote!((#(#fields)*)));
        let at = syn::Index::from(number);
        let ident = &variant.ident;
        let fields = idents.iter().zip(&types).enumerate().map(|(field, (ident, type_))| {
            let field = syn::Index::from(field);
            let get = quote!(<#type_ as retally::__private::EventField<#life>>::get);
            quote!(#ident: #get(&columns.#at.#field, row),)
        });
        let tag = number as u8;
        reads.push(quote!(#tag => Self::#ident { #(#fields)* },));
    }
    let fields = variants.iter().flat_map(|variant| &variant.fields);
    let floats = float::checked(fields, &quote!(retally::__private::EventField<'static>));
    Ok(quote! {
        #floats

        #[automatically_derived]
        #[allow(clippy::all)]
        impl<#life> retally::Event<#life> for #type_ {
            const INPUTS: &'static [retally::__private::Input] = &[#(#inputs),*];
            type Columns = (#(#columns,)*);

            fn open(
                columns: &#life [retally::__private::abi::List<retally::__private::abi::Column>],
            ) -> Self::Columns {
                (#(#opens,)*)
            }

            #[inline]
            fn read(columns: &Self::Columns, input: u8, row: usize) -> Self {
                match input {
                    #(#reads)*
                    _ => unreachable!("the host passed input {input}, which was not declared"),
                }
            }
        }
    })
}

fn select(input: &DeriveInput) -> Result<Option<String>, Error> {
    let pointers = pointers(&input.attrs, "select")?;
    if pointers.len() > 1 {
        let text =
            "one `#[select(\"/type\")]`: for other places write `#[when(at = \"/x\", \"y\")]`";
        return refuse(&input.ident, text);
    }
    Ok(pointers.into_iter().next())
}

/// What one `#[when(..)]` asks.
enum When {
    Any,
    Present(String),
    Is { at: Option<String>, values: Vec<String> },
}

impl Parse for When {
    fn parse(input: ParseStream<'_>) -> Result<Self, Error> {
        let mut at = None;
        if input.peek(Ident) {
            let word: Ident = input.parse()?;
            match word.to_string().as_str() {
                "any" => return Ok(Self::Any),
                "present" => {
                    input.parse::<Token![=]>()?;
                    return Ok(Self::Present(pointer(&input.parse()?)?));
                }
                "at" => {
                    input.parse::<Token![=]>()?;
                    at = Some(pointer(&input.parse()?)?);
                    input.parse::<Token![,]>()?;
                }
                _ => return refuse(&word, WHEN),
            }
        }
        let values = Punctuated::<LitStr, Token![,]>::parse_terminated(input)
            .map_err(|e| Error::new(e.span(), WHEN))?;
        if values.is_empty() {
            return Err(Error::new(input.span(), WHEN));
        }
        Ok(Self::Is { at, values: values.iter().map(LitStr::value).collect() })
    }
}

/// A condition: a pointer and the values it may have.
type Condition = (String, Vec<String>);

fn conditions(variant: &Variant, select: Option<&str>) -> Result<Vec<Condition>, Error> {
    let mut conditions = Vec::new();
    let mut any = false;
    let mut count = 0;
    for attribute in named(&variant.attrs, "when") {
        count += 1;
        let when =
            attribute.parse_args::<When>().map_err(|e| Error::new(e.span(), e.to_string()))?;
        match (when, select) {
            (When::Any, _) => any = true,
            (When::Present(path), _) => conditions.push((path, Vec::new())),
            (When::Is { at: Some(path), values }, _) => conditions.push((path, values)),
            (When::Is { at: None, values }, Some(path)) => {
                conditions.push((path.to_owned(), values));
            }
            (When::Is { at: None, .. }, None) => {
                let text = "where does this stand in an event? write `#[select(\"/type\")]` over \
                            the enum, or `#[when(at = \"/type\", \"payment\")]`";
                return refuse(attribute.path(), text);
            }
        }
    }
    match (count, any) {
        (0, _) => refuse(&variant.ident, WHEN),
        (1, _) | (_, false) => Ok(conditions),
        (_, true) => refuse(&variant.ident, "`#[when(any)]` stands alone: it asks for nothing"),
    }
}

/// The first variant that an event fits takes it, so one that asks for no more than one before gets
/// nothing.
fn refuse_unreachable(
    variant: &Variant,
    conditions: &[Condition],
    last: bool,
    taken: &mut BTreeMap<(String, String), Ident>,
) -> Result<(), Error> {
    if conditions.is_empty() && !last {
        let text = "`#[when(any)]` takes every event, so nothing is left for the variants behind: \
                    put it last";
        return refuse(&variant.ident, text);
    }
    if let [(path, values)] = conditions {
        for value in values {
            let place = (path.clone(), value.clone());
            if let Some(other) = taken.insert(place, variant.ident.clone()) {
                let text =
                    format!("{value:?} is taken by `{other}` already: the first variant wins");
                return refuse(&variant.ident, text);
            }
        }
    }
    Ok(())
}

fn declare(variant: &Variant, when: &[Condition]) -> crate::Expanded {
    let name = snake(&variant.ident);
    let conditions = when.iter().map(|(path, any_of)| {
        quote!(retally::__private::Condition { path: #path, any_of: &[#(#any_of),*] })
    });
    let key = pointers(&variant.attrs, "key")?;
    let mut fields: Vec<TokenStream> = Vec::new();
    for field in &variant.fields {
        let Some(ident) = &field.ident else { continue };
        let name = plain(ident);
        let mut paths = pointers(&field.attrs, "at")?;
        if paths.is_empty() {
            paths.push(format!("/{name}"));
        }
        let type_ = &field.ty;
        let shape = quote!(retally::__private::event_shape::<#type_>(#name, &[#(#paths),*]));
        fields.push(quote_spanned!(type_.span()=> #shape));
    }
    Ok(quote! {
        retally::__private::Input {
            name: #name,
            when: &[#(#conditions),*],
            key: &[#(#key),*],
            fields: &[#(#fields),*],
        }
    })
}
