/*
 * What the pages say in Dutch: to a pupil of twelve, in short sentences,
 * without a word that only we use. What happened; what to do; whom to ask.
 */

#include <stddef.h>

#include "problem_texts.h"

const lp_problem_text_t lp_problem_dutch[LP_PROBLEMS] = {

    [LP_ACTIVATE] = {
        "Het lukt nu even niet",
        "Er is een storing bij ons. Je hebt niets verkeerd gedaan.",
        "Je hoeft niets te veranderen. Wacht een halve minuut en probeer het "
        "opnieuw.",
        "Duurt het langer dan een kwartier? Vertel het je docent of de "
        "helpdesk van je school."},

    [LP_LOGIN] = {
        "Je bent niet ingelogd",
        "Dit boek gaat pas open als we weten wie je bent.",
        "Ga terug naar je portaal (bijvoorbeeld Magister of Somtoday), log "
        "daar in en klik opnieuw op je boek.",
        "Lukt inloggen niet? Vraag de ICT-helpdesk van je school om hulp."},

    [LP_BAD_TOKEN] = {
        "We herkennen je aanmelding niet",
        "Je portaal heeft laten weten wie je bent, maar dat bericht klopt "
        "niet.",
        "Log uit bij je portaal, log opnieuw in en klik nog eens op je boek.",
        "Lukt het dan niet? Vraag de ICT-helpdesk van je school om hulp."},

    [LP_NO_RIGHT] = {
        "Dit boek staat niet op jouw naam",
        "Je bent goed ingelogd, maar dit boek is niet voor jou besteld.",
        "Kijk of je op het goede boek hebt geklikt. Is het boek pas besteld? "
        "Probeer het dan morgen nog eens.",
        "Vraag je docent of de boekencoördinator van je school of het boek "
        "voor jou besteld is."},

    [LP_NOT_YET] = {
        "Je kunt dit boek nog niet openen",
        "Het boek is voor jou besteld, maar de eerste dag waarop je het mag "
        "gebruiken is nog niet geweest.",
        "Je hoeft nu niets te doen. Klik later opnieuw op het boek.",
        "Heb je het boek eerder nodig? Vraag het je docent of de "
        "boekencoördinator van je school."},

    [LP_ENDED] = {
        "Je tijd met dit boek is voorbij",
        "De laatste dag waarop je dit boek mocht gebruiken is geweest.",
        "Kijk of er in je portaal een nieuw boek voor dit vak staat.",
        "Heb je dit boek nog nodig? Vraag het je docent of de "
        "boekencoördinator van je school."},

    [LP_BLOCKED_OUT] = {
        "Dit boek is voor jou geblokkeerd",
        "De verkoper of je school heeft de toegang stopgezet.",
        "Dit kun je niet zelf oplossen. Opnieuw inloggen helpt niet.",
        "Vraag de boekencoördinator van je school wat er aan de hand is."},

    [LP_UNKNOWN_PRODUCT] = {
        "We kennen dit boek niet",
        "De link klopt niet, of het boek is zo nieuw dat we het nog niet "
        "kennen.",
        "Ga terug naar je portaal en klik daar op je boek. Gebruik geen oude "
        "link of bladwijzer.",
        "Gebeurt het weer? Meld het aan je docent of aan de helpdesk van je "
        "school."},

    [LP_UNKNOWN_MATERIAL] = {
        "Dit deel van het boek bestaat niet",
        "We kennen het boek, maar niet het hoofdstuk of de opdracht van deze "
        "link.",
        "Open het boek vanuit je portaal en zoek het hoofdstuk daar op.",
        "Komt de link van je docent? Laat dan weten dat de link niet werkt."},

    [LP_BAD_REQUEST] = {
        "Deze link klopt niet",
        "Er staan tekens in de link die er niet in horen, of er ontbreekt "
        "een stuk.",
        "Ga terug naar je portaal en klik daar op je boek.",
        "Gebeurt het weer? Meld het aan de helpdesk van je school."},

    [LP_UNAVAILABLE] = {
        "Het lukt nu even niet",
        "Er is een storing bij ons. Je hebt niets verkeerd gedaan.",
        "Je hoeft niets te veranderen. Wacht een halve minuut en probeer het "
        "opnieuw.",
        "Duurt het langer dan een kwartier? Vertel het je docent of de "
        "helpdesk van je school."},

    [LP_PROBLEM_NO_COOKIES] = {
        "Je browser bewaart geen cookies",
        "We kunnen je niet inloggen, omdat je browser niet onthoudt wie je "
        "bent.",
        "Sta cookies toe in de instellingen van je browser. Een "
        "privévenster of een ingebouwde browser in een app werkt soms niet: "
        "open je portaal dan in een gewone browser.",
        "Kun je de instellingen niet veranderen? Vraag de ICT-helpdesk van "
        "je school om hulp."},

    [LP_PROBLEM_SIGN_IN_OLD] = {
        "Het inloggen duurde te lang",
        "Deze inlogpagina is al gebruikt, of heeft te lang opengestaan.",
        "Ga terug naar je portaal en klik opnieuw op je boek. Gebruik "
        "daarbij niet de terugknop van je browser.",
        "Lukt het steeds niet? Vraag de ICT-helpdesk van je school om hulp."},

    [LP_PROBLEM_SIGN_IN_OTHER] = {
        "Je bent ergens anders begonnen met inloggen",
        "Het inloggen begon in een andere browser of op een ander apparaat "
        "dan waar het nu eindigt.",
        "Ga terug naar je portaal en klik opnieuw op je boek. Doe alles in "
        "dezelfde browser.",
        "Heeft iemand je deze link gestuurd? Gebruik hem dan niet meer en "
        "vertel het je docent."},

    [LP_PROBLEM_SIGN_IN_REFUSED] = {
        "Inloggen is niet gelukt",
        "De inlogpagina van je school of je leeromgeving heeft je niet "
        "doorgelaten, of je bent gestopt met inloggen.",
        "Klik opnieuw op je boek en log in met het account van je school.",
        "Lukt het weer niet? Vraag de ICT-helpdesk van je school om hulp."},

    [LP_PROBLEM_SIGN_IN_WRONG] = {
        "Inloggen is niet gelukt",
        "Het antwoord van de inlogpagina van je school klopt niet. Daarom "
        "laten we je voor de zekerheid niet door.",
        "Klik opnieuw op je boek en probeer het nog een keer.",
        "Lukt het weer niet? Geef de code hieronder door aan de ICT-helpdesk "
        "van je school."},

    [LP_PROBLEM_PROVIDER_DOWN] = {
        "De inlogpagina van je school doet het niet",
        "We krijgen geen antwoord van de inlogpagina van je school. Je hebt "
        "niets verkeerd gedaan.",
        "Wacht een halve minuut en probeer het opnieuw.",
        "Duurt het langer dan een kwartier? Vertel het je docent of de "
        "ICT-helpdesk van je school."},

    [LP_PROBLEM_BUSY] = {
        "Het is nu erg druk",
        "Veel mensen willen tegelijk naar binnen, of je hebt heel vaak achter "
        "elkaar geklikt. Je bent zo aan de beurt.",
        "Laat deze pagina open staan, of probeer het over een halve minuut "
        "opnieuw.",
        NULL},

    [LP_PROBLEM_UNKNOWN_SCHOOL] = {
        "We kennen je school niet",
        "Je school doet hier nog niet mee, of heeft een nieuwe naam gekregen.",
        "Kijk of je school onder een andere naam in de lijst staat, en of je "
        "inlogt met het account van je eigen school.",
        "Klopt dat? Geef de code hieronder door aan de ICT-helpdesk van je "
        "school."},

    [LP_PROBLEM_NOBODY] = {
        "We weten niet wie je bent",
        "Je bent ingelogd, maar je school stuurt ons niet het nummer waaraan "
        "we je herkennen.",
        "Kijk of je bent ingelogd met het account van je school, en niet met "
        "een ander account.",
        "Klopt het account? Geef de code hieronder door aan de ICT-helpdesk "
        "van je school."},

    [LP_PROBLEM_SESSION_EXPIRED] = {
        "Je bent niet meer ingelogd",
        "Je hebt uitgelogd, of je bent een tijd weg geweest. Wat je net "
        "hebt ingevuld of gekozen, is niet verwerkt.",
        "Log opnieuw in en doe het daarna nog een keer. Of ga terug naar je "
        "portaal en klik op je boek.",
        "Kun je niet inloggen? Vraag de ICT-helpdesk van je school om hulp."},

    [LP_PROBLEM_BAD_RETURN] = {
        "Deze link klopt niet",
        "De link zou je na het inloggen naar een plek brengen die niet van "
        "ons is. Dat doen we niet.",
        "Ga terug naar je portaal en klik daar op je boek.",
        "Heeft iemand je deze link gestuurd? Vertel het je docent."},

    [LP_PROBLEM_UNKNOWN_PROVIDER] = {
        "We kennen deze inlogpagina niet",
        "De link noemt een manier van inloggen die hier niet bestaat.",
        "Ga terug naar je portaal en klik daar op je boek.",
        "Gebeurt het weer? Geef de code hieronder door aan de ICT-helpdesk "
        "van je school."},

    [LP_PROBLEM_LAUNCH_OLD] = {
        "Deze pagina heeft te lang opengestaan",
        "Je hebt deze link al gebruikt, of de pagina in je leeromgeving was "
        "te oud.",
        "Ververs de pagina in je leeromgeving en klik opnieuw op je boek.",
        "Lukt het steeds niet? Vraag je docent of de ICT-helpdesk van je "
        "school om hulp."},

    [LP_PROBLEM_LAUNCH_OTHER] = {
        "Je bent ergens anders begonnen",
        "Het openen begon in een andere browser of op een ander apparaat dan "
        "waar het nu eindigt.",
        "Ga terug naar je leeromgeving en klik opnieuw op je boek. Doe alles "
        "in dezelfde browser.",
        "Heeft iemand je deze link gestuurd? Vertel het je docent."},

    [LP_PROBLEM_LAUNCH_WRONG] = {
        "Je leeromgeving stuurde iets dat niet klopt",
        "Je leeromgeving heeft laten weten wie je bent, maar dat bericht "
        "klopt niet.",
        "Ververs de pagina in je leeromgeving en klik opnieuw op je boek.",
        "Lukt het weer niet? Geef de code hieronder door aan je docent of de "
        "ICT-helpdesk van je school."},

    [LP_PROBLEM_LAUNCH_UNKNOWN] = {
        "We kennen deze leeromgeving niet",
        "De leeromgeving waar je vandaan komt is hier nog niet aangesloten.",
        "Open je boek vanuit je portaal, als je dat hebt.",
        "Geef de code hieronder door aan je docent of de ICT-helpdesk van je "
        "school."},

    [LP_PROBLEM_LAUNCH_NO_BOOK] = {
        "Deze link noemt geen boek",
        "De link in je leeromgeving zegt niet welk boek er open moet.",
        "Kijk of er een andere link naar het boek is.",
        "Vertel je docent dat de link niet werkt: die kan het boek opnieuw "
        "kiezen."},

    [LP_PROBLEM_TEACHERS_ONLY] = {
        "Alleen docenten kunnen boeken kiezen",
        "Op deze pagina kiest een docent boeken voor een vak. Jij hebt in "
        "dit vak een andere rol.",
        "Ga terug naar je leeromgeving en klik op een boek dat al gekozen "
        "is.",
        "Ben je wel docent? Vraag de beheerder van de leeromgeving naar je "
        "rol."},

    [LP_PROBLEM_LINK_OLD] = {
        "Deze link werkt niet meer",
        "De link is al een keer gebruikt, of is te oud.",
        "Ga terug naar je leeromgeving en klik opnieuw op je boek.",
        NULL},

    [LP_PROBLEM_BAD_FORM] = {
        "Dit formulier kunnen we niet lezen",
        "Er ontbreekt iets in wat je hebt ingevuld, het is te lang, of het "
        "formulier komt niet van deze site.",
        "Ga een pagina terug, ververs die en vul het formulier opnieuw in.",
        "Lukt het weer niet? Vraag de ICT-helpdesk van je school om hulp."},

    [LP_PROBLEM_NOT_FOUND] = {
        "Deze pagina bestaat niet",
        "Op dit adres is niets te vinden.",
        "Kijk of het adres klopt, of ga terug naar je portaal en klik daar "
        "op je boek.",
        NULL},

    [LP_PROBLEM_OFF] = {
        "Deze pagina staat niet aan",
        "Je kunt dit hier niet gebruiken, omdat het niet is ingesteld.",
        "Ga terug naar je portaal en klik daar op je boek.",
        "Had je dit wel verwacht? Vraag de ICT-helpdesk van je school om "
        "hulp."},

    [LP_PROBLEM_TOO_LONG] = {
        "Je browser stuurt te veel mee",
        "Je browser stuurde meer mee dan we kunnen lezen. Meestal zijn dat "
        "oude cookies.",
        "Wis de cookies van deze site in de instellingen van je browser en "
        "klik opnieuw op je boek. Of probeer een andere browser.",
        "Weet je niet hoe dat moet? Vraag de ICT-helpdesk van je school om "
        "hulp."},
};
