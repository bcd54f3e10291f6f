//! Which code is compiled, in production and under loom.

use proc_macro2::Span;
use syn::{
    Attribute, Expr, ExprLit, ImplItem, Item, Lit, Meta, Token, TraitItem, punctuated::Punctuated, spanned::Spanned,
};

/// Where a piece of code is compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compiled {
    pub in_production: bool,
    pub under_loom: bool,
}

impl Compiled {
    /// In here, what has these attributes.
    pub fn narrowed(self, attributes: &[Attribute]) -> syn::Result<Self> {
        attributes.iter().filter(|attribute| is_cfg(attribute)).try_fold(self, |compiled, attribute| {
            let condition = attribute.parse_args::<Meta>()?;
            Ok(Self {
                in_production: compiled.in_production && holds(&condition, false)?,
                under_loom: compiled.under_loom && holds(&condition, true)?,
            })
        })
    }
}

pub fn is_cfg(attribute: &Attribute) -> bool {
    attribute.path().is_ident("cfg")
}

/// Where an attribute stands.
pub fn position(attribute: &Attribute) -> usize {
    attribute.pound_token.span().byte_range().start
}

/// The node without its attributes.
pub fn start_behind(attributes: &[Attribute], node: Span) -> usize {
    attributes.last().map_or(node.byte_range().start, |last| last.span().byte_range().end)
}

/// On Linux, where the project is checked. A condition that is not known here holds: at worst a mutant survives that nobody
/// compiled, and that is seen.
fn holds(condition: &Meta, loom: bool) -> syn::Result<bool> {
    Ok(match condition {
        Meta::Path(name) if name.is_ident("nylon_loom") => loom,
        Meta::Path(name) => !(name.is_ident("test") || name.is_ident("miri")),
        Meta::NameValue(pair) if pair.path.is_ident("target_os") => {
            matches!(&pair.value, Expr::Lit(ExprLit { lit: Lit::Str(os), .. }) if os.value() == "linux")
        }
        Meta::NameValue(_) => true,
        Meta::List(list) => {
            let parts = list.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated)?;
            let parts = parts.iter().map(|part| holds(part, loom)).collect::<syn::Result<Vec<bool>>>()?;
            if list.path.is_ident("any") {
                parts.contains(&true)
            } else if list.path.is_ident("all") {
                !parts.contains(&false)
            } else if list.path.is_ident("not") && parts.len() == 1 {
                !parts[0]
            } else {
                return Err(syn::Error::new(list.span(), "not a condition of cfg"));
            }
        }
    })
}

macro_rules! attributes_of {
    ($name:ident, $node:ident: $($variant:ident)+) => {
        pub fn $name(node: &$node) -> &[Attribute] {
            match node {
                $($node::$variant(node) => &node.attrs,)+
                _ => &[],
            }
        }
    };
}

attributes_of!(of_item, Item: Const Enum Fn ForeignMod Impl Macro Mod Static Struct Trait Type Union Use);
attributes_of!(of_impl_item, ImplItem: Const Fn Type Macro);
attributes_of!(of_trait_item, TraitItem: Const Fn Type Macro);
attributes_of!(of_expr, Expr: Assign Binary Block Call If ForLoop Let Loop Macro Match MethodCall Return Struct Unsafe While);

#[cfg(test)]
mod tests {
    use super::*;

    fn compiled(attributes: &str) -> (bool, bool) {
        let item: Item = syn::parse_str(&format!("{attributes}\nfn f() {{}}")).unwrap();
        let everywhere = Compiled { in_production: true, under_loom: true };
        let Compiled { in_production, under_loom } = everywhere.narrowed(of_item(&item)).unwrap();
        (in_production, under_loom)
    }

    #[test]
    fn conditions_are_told_apart() {
        assert_eq!(compiled("/// Nothing."), (true, true));
        assert_eq!(compiled("#[cfg(test)]"), (false, false));
        assert_eq!(compiled("#[cfg(not(nylon_loom))]"), (true, false));
        assert_eq!(compiled("#[cfg(nylon_loom)]"), (false, true));
        assert_eq!(compiled("#[cfg(any(nylon_loom, miri))]"), (false, true));
        assert_eq!(compiled("#[cfg(all(target_os = \"linux\", not(any(nylon_loom, miri))))]"), (true, false));
        assert_eq!(compiled("#[cfg(target_os = \"windows\")]"), (false, false));
        assert_eq!(compiled("#[cfg(target_pointer_width = \"64\")]"), (true, true));
    }
}
