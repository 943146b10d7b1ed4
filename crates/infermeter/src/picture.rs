//! SVG as PNG, where this program was built with the feature `png`.
//!
//! Invariant: text is drawn in the font that the program carries, never in one of the machine.

#[cfg(feature = "png")]
pub(crate) use with_resvg::{available, png};

#[cfg(not(feature = "png"))]
/// Whether pictures can be PNG.
///
/// # Errors
/// Always: this program was built without.
pub(crate) fn available() -> anyhow::Result<()> {
    anyhow::bail!(
        "this program was built without PNG: write .svg, or build it with the default features"
    )
}

#[cfg(not(feature = "png"))]
/// The picture as PNG.
///
/// # Errors
/// As [`available`].
pub(crate) fn png(_: &str) -> anyhow::Result<Vec<u8>> {
    available().map(|()| Vec::new())
}

#[cfg(feature = "png")]
mod with_resvg {
    use anyhow::{Context, Result};
    use resvg::tiny_skia::{Pixmap, Transform};
    use resvg::usvg::{Options, Tree};
    use std::sync::Arc;

    /// Pixels of the bitmap for one of the picture: sharp on dense screens and in print.
    const SCALE: f32 = 2.0;

    /// Whether pictures can be PNG.
    #[expect(clippy::unnecessary_wraps, reason = "without the feature it fails")]
    pub(crate) fn available() -> Result<()> {
        Ok(())
    }

    /// The picture as PNG.
    ///
    /// # Errors
    /// Where it is too large for memory.
    pub(crate) fn png(svg: &str) -> Result<Vec<u8>> {
        let mut options = Options {
            font_family: "DejaVu Sans".to_owned(),
            ..Options::default()
        };
        let fonts = Arc::make_mut(&mut options.fontdb);
        fonts.load_font_data(dejavu::sans::regular().to_vec());
        fonts.set_sans_serif_family("DejaVu Sans");
        let tree = Tree::from_str(svg, &options).context("the picture as a tree")?;
        let size = tree.size().to_int_size();
        let scaled = |length: u32| (length as f32 * SCALE) as u32;
        let pixels = Pixmap::new(scaled(size.width()), scaled(size.height()));
        let mut pixels = pixels.context("the picture is too large for a bitmap")?;
        resvg::render(
            &tree,
            Transform::from_scale(SCALE, SCALE),
            &mut pixels.as_mut(),
        );
        pixels.encode_png().context("the picture as PNG")
    }
}
