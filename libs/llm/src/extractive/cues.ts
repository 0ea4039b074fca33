const list = (words: string): ReadonlySet<string> => new Set(words.trim().split(/\s+/u));

/** Words that say nothing about what a sentence is about. A language that is missing costs quality only. */
export const COMMON_WORDS = list(`
a about after again all also am an and any are as at be because been before being but by can could
did do does doing for from had has have having he her here hers him his how i i'd i'll i'm i've if
in into is it it's its just know let like may me mine might more most much my no nor not now of on
once only or other our ours out over own please really same say says she should so some such tell
than that that's the their them then there these they this those through to too under until up us
use very want was we we're were what what's when where which while who whom whose why will with
would you you're your yours
aber als am an auch auf aus bei bin bist da das dass dein dem den der des die dies doch du durch
ein eine einem einen einer er es für haben hast hat ich ihr im in ist ja kann kein mein mich mir
mit nach nicht noch nur ob oder sein sich sie sind so um und uns vom von war was wenn wer wie wir
wird wo zu zum zur
au aux avec ce ces cette dans de des du elle en est et il ils je la le les leur lui ma mais mes moi
mon ne nous on ou où par pas pour qu que quel quelle qui sa se ses son sont sur ta te tes toi ton tu
un une vos votre vous
al con como cual cuál cuando de del donde dónde el ella ellos en era eres es esta está este esto ha
la las lo los más me mi mis muy no nos o para pero por porque qué que quién se ser si sin sobre son
soy su sus también te tengo tiene tu tus un una uno y ya yo
che chi com como da dei del della di do dos e ela ele em essa esse estou eu foi gli il io isso la lo
mas meu minha na não nella no nos o os ou para per più por quando quanto que quem se sei seu sou sua
ti uma un una você
`);

/** How a sentence begins or speaks that asks for an answer. */
export const ASKS =
  /^(?:who|whom|whose|what|what's|when|where|which|why|how|is|are|do|does|did|can|could|tell|explain|list|show|give|find|describe|write|translate|calculate|compare|wer|was|wann|wo|warum|wie|welche[rs]?|qui|que|quoi|quand|où|pourquoi|comment|quel(?:le)?|quién|qué|cuándo|dónde|cómo|cuál|chi|che|quando|dove|perché|come|quem|onde|porquê)(?!\p{L})/iu;

/** A wish for a summary, in the languages that are recognised. */
export const ASKS_FOR_SUMMARY =
  /\b(?:summar(?:y|i[sz]e)|sum up|recap|tl;?dr)\b|zusammenfass|fass .*zusammen|résum|resum[eaoi]|riassum/iu;

/** A sentence that is a greeting and little else. */
export const GREETS =
  /^(?:hi|hello|hey|good (?:morning|afternoon|evening)|hallo|guten (?:morgen|tag|abend)|bonjour|salut|hola|buenos días|ciao|olá|こんにちは|你好|안녕하세요|привет|здравствуйте|مرحبا)(?!\p{L})/iu;

/** Something that somebody still has to do. */
export const IS_TO_DO =
  /\b(?:to-?do|need(?:s)? to|have to|has to|must|should|ought to|will|going to|let's|next step|follow[- ]up|remember to|don't forget|by (?:monday|tuesday|wednesday|thursday|friday|saturday|sunday|tomorrow|tonight|next|the end)|deadline|due)\b|\b(?:müssen|muss|sollte|soll|werden|nächste|bis (?:montag|dienstag|mittwoch|donnerstag|freitag|morgen))\b|\b(?:il faut|doit|devons|devrait|prochaine)\b|\b(?:hay que|debe|tiene que|tenemos que|próximo)\b/iu;

/** Something that somebody has done. */
export const IS_DONE =
  /\b(?:done|finished|completed?|fixed|shipped|sent|merged|deployed|released|resolved|approved|signed|paid|delivered|decided|agreed|booked|launched)\b|\b(?:erledigt|fertig|abgeschlossen|behoben|verschickt|entschieden)\b|\b(?:terminé|fini|envoyé|réglé|décidé)\b|\b(?:hecho|terminado|enviado|resuelto|decidido)\b/iu;

/** What is said is that something is not so. */
export const IS_DENIED =
  /\b(?:not|never|no one|nobody|nicht|kein\p{L}*|pas|jamais|nunca)\b|n't\b/iu;

/** Something that stands in the way. */
export const IS_BLOCKED =
  /\b(?:blocked|blocker|stuck|waiting (?:for|on)|delayed|late|fails?|failing|failed|broken|bug|problem|issue|risk|unclear)\b|\b(?:blockiert|wartet|verspätet|problem|risiko)\b|\b(?:bloqué|en attente|retard|problème)\b|\b(?:bloqueado|esperando|retrasado|problema)\b/iu;

/** A sentence of a persona's instructions that says how to behave, and so is nobody's answer. */
export const IS_INSTRUCTION =
  /^(?:you|your|answer|respond|reply|be|do|don't|never|always|use|write|speak|keep|say|summary of|earlier in)(?!\p{L})/iu;
