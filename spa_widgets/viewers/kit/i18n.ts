/** Labels in English and Japanese from the one message file that Python reads too. */
import messages from "../messages.json";

export type Language = "en" | "ja";
type Entry = { en: string; ja: string };

/** The language asked for, or that of the page when it is "auto". */
export function chooseLanguage(asked: string): Language {
  const wanted = asked === "auto" ? document.documentElement.lang || navigator.language || "en" : asked;
  return wanted.toLowerCase().startsWith("ja") ? "ja" : "en";
}

/** Give the function that translates a key; `{name}` in a message is replaced by `values.name`. */
export function translator(language: Language): (key: string, values?: Record<string, string | number>) => string {
  return (key, values = {}) => {
    const entry = (messages as Record<string, Entry>)[key];
    const text = entry ? entry[language] ?? entry.en : key;
    return text.replace(/\{(\w+)\}/g, (whole, name: string) => (name in values ? String(values[name]) : whole));
  };
}
