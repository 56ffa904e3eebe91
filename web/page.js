/** The page around the chat speaks the chat's language. */
import { MESSAGES } from "./messages.js";
import "./manga-assist.js";

function speak(locale) {
  document.documentElement.lang = locale;
  document.title = MESSAGES[locale]["page.title"];
}

const assistant = document.querySelector("manga-assist");
speak(assistant.locale);
assistant.addEventListener("localechange", ({ detail }) => speak(detail.locale));
