"""How objects show themselves in notebooks: HTML with MathML and SVG that stands in any page, without scripts."""
