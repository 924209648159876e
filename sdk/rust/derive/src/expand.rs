//! From a struct to its table.

use proc_macro2::{Group, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::ext::IdentExt as _;
use syn::{Attribute, Data, DeriveInput, Error, Expr, ExprLit, Field, Fields, Lit, LitStr, Meta, Result};

use crate::names;

pub(crate) fn expand(input: &DeriveInput) -> Result<TokenStream> {
    let fields = named_fields(input)?;
    if let Some(parameter) = input.generics.type_params().next() {
        return Err(Error::new_spanned(
            parameter,
            "the types of a table's columns are known: no type parameters",
        ));
    }
    if let Some(parameter) = input.generics.const_params().next() {
        return Err(Error::new_spanned(
            parameter,
            "the types of a table's columns are known: no const parameters",
        ));
    }
    let table = Table::read(input)?;
    let columns = fields.iter().map(Column::read).collect::<Result<Vec<_>>>()?;
    names::check_columns(&columns.iter().map(|column| column.name.clone()).collect::<Vec<_>>())?;
    Ok(write(input, &table, &columns))
}

fn named_fields(input: &DeriveInput) -> Result<Vec<Field>> {
    match &input.data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(fields) if !fields.named.is_empty() => Ok(fields.named.iter().cloned().collect()),
            _ => Err(Error::new_spanned(
                &input.ident,
                "a row has columns, and a column has a name: use named fields",
            )),
        },
        _ => Err(Error::new_spanned(&input.ident, "a row is a struct")),
    }
}

/// What `#[row(…)]` says of a struct.
struct Table {
    name: LitStr,
    /// Marks of `table!`, as they are written there.
    marks: Vec<Ident>,
}

impl Table {
    fn read(input: &DeriveInput) -> Result<Self> {
        let snake = names::snake_case(&input.ident.unraw().to_string());
        let mut table = Table { name: LitStr::new(&snake, input.ident.span()), marks: Vec::new() };
        for attribute in rows(&input.attrs) {
            attribute.parse_nested_meta(|meta| {
                if meta.path.is_ident("table") {
                    table.name = meta.value()?.parse()?;
                    return Ok(());
                }
                let mark =
                    meta.path.get_ident().filter(|word| *word == "default_off" || *word == "without_faults");
                let mark =
                    mark.ok_or_else(|| meta.error("`table = \"…\"`, `default_off` or `without_faults`"))?;
                table.marks.push(mark.clone());
                Ok(())
            })?;
        }
        names::check_table(&table.name.value(), table.name.span())?;
        Ok(table)
    }
}

/// A field and what `#[row(…)]` says of it.
struct Column<'a> {
    field: &'a Field,
    ident: &'a Ident,
    name: LitStr,
}

impl<'a> Column<'a> {
    fn read(field: &'a Field) -> Result<Self> {
        let Some(ident) = &field.ident else { return Err(Error::new_spanned(field, "a column has a name")) };
        let mut name = LitStr::new(&ident.unraw().to_string(), ident.span());
        for attribute in rows(&field.attrs) {
            attribute.parse_nested_meta(|meta| {
                if !meta.path.is_ident("name") {
                    return Err(meta.error("`name = \"…\"`"));
                }
                name = meta.value()?.parse()?;
                Ok(())
            })?;
        }
        Ok(Column { field, ident, name })
    }
}

fn rows(attributes: &[Attribute]) -> impl Iterator<Item = &Attribute> {
    attributes.iter().filter(|attribute| attribute.path().is_ident("row"))
}

/// The lines of a doc comment, as attributes. `#[doc(hidden)]` and `#[doc = include_str!(…)]` are no such lines.
fn docs(attributes: &[Attribute]) -> Vec<TokenStream> {
    let line = |attribute: &Attribute| match &attribute.meta {
        Meta::NameValue(meta) if meta.path.is_ident("doc") => match &meta.value {
            Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(quote!(#[doc = #text])),
            _ => None,
        },
        _ => None,
    };
    attributes.iter().filter_map(line).collect()
}

fn write(input: &DeriveInput, table: &Table, columns: &[Column<'_>]) -> TokenStream {
    let (struct_docs, name, marks) = (docs(&input.attrs), &table.name, &table.marks);
    let declared = columns.iter().map(|column| {
        let (ident, name, docs) = (column.ident, &column.name, docs(&column.field.attrs));
        let cell = with_static_lifetimes(column.field.ty.to_token_stream());
        quote!(#(#docs)* #ident: #cell = #name)
    });
    let idents = columns.iter().map(|column| column.ident);
    let row = &input.ident;
    let (parameters, arguments, bounds) = input.generics.split_for_impl();
    quote! {
        const _: () = {
            ::casparian_sdk::table! {
                #(#struct_docs)*
                pub struct Columns = #name #(, #marks)* { #(#declared),* }
            }

            impl #parameters ::casparian_sdk::column::IntoRow for #row #arguments #bounds {
                type Columns = Columns;

                #[inline]
                fn into_row(self, columns: &mut Columns, at: ::casparian_sdk::column::At) {
                    #(::casparian_sdk::column::Fill::fill(self.#idents, &mut columns.#idents, at);)*
                }
            }
        };
    }
}

/// Makes every lifetime `'static`: a column outlives the rows that it is filled from.
fn with_static_lifetimes(tokens: TokenStream) -> TokenStream {
    let mut is_lifetime = false;
    let tree = |tree: TokenTree| {
        let after_quote = std::mem::take(&mut is_lifetime);
        match tree {
            TokenTree::Group(group) => {
                let mut made = Group::new(group.delimiter(), with_static_lifetimes(group.stream()));
                made.set_span(group.span());
                TokenTree::Group(made)
            }
            TokenTree::Ident(_) if after_quote => TokenTree::Ident(Ident::new("static", Span::call_site())),
            TokenTree::Punct(punct) => {
                is_lifetime = punct.as_char() == '\'';
                TokenTree::Punct(punct)
            }
            other => other,
        }
    };
    tokens.into_iter().map(tree).collect()
}
