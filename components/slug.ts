/**
 * A name as people write it, in lower-case letters, digits and single hyphens: fit for a label
 * value (at most 63 characters), and what GitHub makes of a team's name.
 */
export function slug(text: string): string {
  return text
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .slice(0, 63)
    .replace(/^-+|-+$/g, "");
}
