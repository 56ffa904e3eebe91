/**
 * How a cover placeholder looks by genre: paper and ink of the print, and the motif drawn on it. The first genre of a
 * product that stands here decides.
 */
export const COVER_STYLES = {
  Horror: { paper: "#23181c", ink: "#d8414a", motif: "spiral" },
  Suspense: { paper: "#1d2430", ink: "#e0b64c", motif: "slats" },
  Mystery: { paper: "#26213b", ink: "#c9b6f2", motif: "slats" },
  "Girls Love": { paper: "#f6d8df", ink: "#a3365c", motif: "petals" },
  "Boys Love": { paper: "#dbe3f4", ink: "#3c4f92", motif: "petals" },
  Romance: { paper: "#f9dcd6", ink: "#b23a52", motif: "petals" },
  Gourmet: { paper: "#f6e3c0", ink: "#a3501e", motif: "steam" },
  Sports: { paper: "#d8ecd9", ink: "#1f6b45", motif: "speed" },
  "Sci-Fi": { paper: "#14283a", ink: "#6fd0e0", motif: "orbits" },
  Fantasy: { paper: "#1f3a38", ink: "#e9cf85", motif: "stars" },
  Supernatural: { paper: "#2b2347", ink: "#f0a6c4", motif: "stars" },
  Adventure: { paper: "#cfe6ee", ink: "#17597a", motif: "waves" },
  Action: { paper: "#f7d9b8", ink: "#b5341f", motif: "speed" },
  "Slice of Life": { paper: "#e6ecd0", ink: "#5a6b1f", motif: "leaves" },
  Comedy: { paper: "#fbe7a4", ink: "#a4441a", motif: "burst" },
  Drama: { paper: "#e2dfea", ink: "#4a3f74", motif: "rain" },
};

export const DEFAULT_COVER_STYLE = { paper: "#e9dfcc", ink: "#5b4630", motif: "waves" };
