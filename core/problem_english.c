/*
 * What the pages say in English: to a pupil of twelve, in short sentences,
 * without a word that only we use. What happened; what to do; whom to ask.
 */

#include <stddef.h>

#include "problem_texts.h"

const lp_problem_text_t lp_problem_english[LP_PROBLEMS] = {

    [LP_ACTIVATE] = {
        "It does not work right now",
        "Something is broken on our side. You have done nothing wrong.",
        "There is nothing you need to change. Wait half a minute and try "
        "again.",
        "If it takes longer than a quarter of an hour, tell your teacher or "
        "your school's help desk."},

    [LP_LOGIN] = {
        "You are not signed in",
        "This book only opens when we know who you are.",
        "Go back to your school portal (Magister or Somtoday, for instance), "
        "sign in there and click on your book again.",
        "If you can't sign in, ask your school's IT help desk."},

    [LP_BAD_TOKEN] = {
        "We do not recognise your sign-in",
        "Your school portal told us who you are, but its message is not "
        "right.",
        "Sign out of your school portal, sign in again and click on your "
        "book once more.",
        "If that does not help, ask your school's IT help desk."},

    [LP_NO_RIGHT] = {
        "This book is not yours",
        "You are signed in, but this book was not ordered for you.",
        "Check that you clicked on the right book. If it was ordered only "
        "just now, try again tomorrow.",
        "Ask your teacher or your school's book coordinator whether the book "
        "was ordered for you."},

    [LP_NOT_YET] = {
        "You can't open this book yet",
        "The book was ordered for you, but the first day on which you may "
        "use it has not come yet.",
        "There is nothing you need to do now. Click on the book again later.",
        "If you need it sooner, ask your teacher or your school's book "
        "coordinator."},

    [LP_ENDED] = {
        "Your time with this book has ended",
        "The last day on which you could use this book is over.",
        "See whether your school portal has a new book for this subject.",
        "If you still need this one, ask your teacher or your school's book "
        "coordinator."},

    [LP_BLOCKED_OUT] = {
        "This book is blocked for you",
        "The seller or your school has stopped access to it.",
        "You can't solve this yourself. Signing in again does not help.",
        "Ask your school's book coordinator why it was blocked."},

    [LP_UNKNOWN_PRODUCT] = {
        "We do not know this book",
        "The link is wrong, or the book is so new that we do not know it "
        "yet.",
        "Go back to your school portal and click on your book there. Do not "
        "use an old link or a bookmark.",
        "If it happens again, tell your teacher or your school's help desk."},

    [LP_UNKNOWN_MATERIAL] = {
        "This part of the book does not exist",
        "We know the book, but not the chapter or the exercise of this link.",
        "Open the book from your school portal and look for the chapter "
        "there.",
        "If the link came from your teacher, say that it does not work."},

    [LP_BAD_REQUEST] = {
        "This link is not right",
        "There are characters in the link that do not belong there, or a "
        "part of it is missing.",
        "Go back to your school portal and click on your book there.",
        "If it happens again, tell your school's help desk."},

    [LP_UNAVAILABLE] = {
        "It does not work right now",
        "Something is broken on our side. You have done nothing wrong.",
        "There is nothing you need to change. Wait half a minute and try "
        "again.",
        "If it takes longer than a quarter of an hour, tell your teacher or "
        "your school's help desk."},

    [LP_PROBLEM_NO_COOKIES] = {
        "Your browser keeps no cookies",
        "We can't sign you in, because your browser does not remember who "
        "you are.",
        "Allow cookies in the settings of your browser. A private window or "
        "a browser inside an app may not work: open your school portal in an "
        "ordinary browser then.",
        "If you can't change the settings, ask your school's IT help desk."},

    [LP_PROBLEM_SIGN_IN_OLD] = {
        "Signing in took too long",
        "This sign-in page was used already, or was open for too long.",
        "Go back to your school portal and click on your book again. Do not "
        "use your browser's back button.",
        "If it keeps failing, ask your school's IT help desk."},

    [LP_PROBLEM_SIGN_IN_OTHER] = {
        "You began to sign in somewhere else",
        "Signing in began in another browser or on another device than where "
        "it ends now.",
        "Go back to your school portal and click on your book again. Stay in "
        "the same browser.",
        "If somebody sent you this link, do not use it again and tell your "
        "teacher."},

    [LP_PROBLEM_SIGN_IN_REFUSED] = {
        "Signing in did not work",
        "Your school's sign-in page or your learning platform did not let you "
        "through, or you stopped signing in.",
        "Click on your book again and sign in with your school account.",
        "If it fails again, ask your school's IT help desk."},

    [LP_PROBLEM_SIGN_IN_WRONG] = {
        "Signing in did not work",
        "The answer of your school's sign-in page is not right. To be safe "
        "we do not let you through.",
        "Click on your book again and try once more.",
        "If it fails again, tell your school's IT help desk the code below."},

    [LP_PROBLEM_PROVIDER_DOWN] = {
        "Your school's sign-in page does not work",
        "We get no answer from your school's sign-in page. You have done "
        "nothing wrong.",
        "Wait half a minute and try again.",
        "If it takes longer than a quarter of an hour, tell your teacher or "
        "your school's IT help desk."},

    [LP_PROBLEM_BUSY] = {
        "It is very busy right now",
        "Many people want to get in at the same time, or you clicked very "
        "often in a row. It will be your turn soon.",
        "Leave this page open, or try again in half a minute.",
        NULL},

    [LP_PROBLEM_UNKNOWN_SCHOOL] = {
        "We do not know your school",
        "Your school does not take part here yet, or has got a new name.",
        "Check whether your school is in the list under another name, and "
        "that you sign in with the account of your own school.",
        "If both are right, tell your school's IT help desk the code below."},

    [LP_PROBLEM_NOBODY] = {
        "We do not know who you are",
        "You are signed in, but your school does not send us the number by "
        "which we recognise you.",
        "Check that you signed in with your school account and not with "
        "another one.",
        "If the account is right, tell your school's IT help desk the code "
        "below."},

    [LP_PROBLEM_SESSION_EXPIRED] = {
        "You are no longer signed in",
        "You signed out, or you were away for some time. What you just "
        "filled in or chose has not been processed.",
        "Sign in again and do it once more. Or go back to your school portal "
        "and click on your book.",
        "If you can't sign in, ask your school's IT help desk."},

    [LP_PROBLEM_BAD_RETURN] = {
        "This link is not right",
        "After signing in the link would lead to a place that is not ours. "
        "We do not do that.",
        "Go back to your school portal and click on your book there.",
        "If somebody sent you this link, tell your teacher."},

    [LP_PROBLEM_UNKNOWN_PROVIDER] = {
        "We do not know this sign-in page",
        "The link names a way of signing in that does not exist here.",
        "Go back to your school portal and click on your book there.",
        "If it happens again, tell your school's IT help desk the code "
        "below."},

    [LP_PROBLEM_LAUNCH_OLD] = {
        "This page was open for too long",
        "You used this link already, or the page in your learning platform "
        "was too old.",
        "Reload the page in your learning platform and click on your book "
        "again.",
        "If it keeps failing, ask your teacher or your school's IT help "
        "desk."},

    [LP_PROBLEM_LAUNCH_OTHER] = {
        "You began somewhere else",
        "Opening the book began in another browser or on another device than "
        "where it ends now.",
        "Go back to your learning platform and click on your book again. "
        "Stay in the same browser.",
        "If somebody sent you this link, tell your teacher."},

    [LP_PROBLEM_LAUNCH_WRONG] = {
        "Your learning platform sent something wrong",
        "Your learning platform told us who you are, but its message is not "
        "right.",
        "Reload the page in your learning platform and click on your book "
        "again.",
        "If it fails again, tell your teacher or your school's IT help desk "
        "the code below."},

    [LP_PROBLEM_LAUNCH_UNKNOWN] = {
        "We do not know this learning platform",
        "The learning platform you come from is not connected here yet.",
        "Open your book from your school portal, if you have one.",
        "Tell your teacher or your school's IT help desk the code below."},

    [LP_PROBLEM_LAUNCH_NO_BOOK] = {
        "This link names no book",
        "The link in your learning platform does not say which book to open.",
        "See whether there is another link to the book.",
        "Tell your teacher that the link does not work: your teacher can "
        "pick the book again."},

    [LP_PROBLEM_TEACHERS_ONLY] = {
        "Only teachers can pick books",
        "On this page a teacher picks books for a course. Your role in this "
        "course is another one.",
        "Go back to your learning platform and click on a book that was "
        "picked already.",
        "If you are a teacher, ask the learning platform's administrator "
        "about your role."},

    [LP_PROBLEM_LINK_OLD] = {
        "This link no longer works",
        "The link was used already, or is too old.",
        "Go back to your learning platform and click on your book again.",
        NULL},

    [LP_PROBLEM_BAD_FORM] = {
        "We can't read this form",
        "Something is missing in what you filled in, it is too long, or the "
        "form is not from this site.",
        "Go back one page, reload it and fill in the form again.",
        "If it fails again, ask your school's IT help desk."},

    [LP_PROBLEM_NOT_FOUND] = {
        "This page does not exist",
        "There is nothing at this address.",
        "Check the address, or go back to your school portal and click on "
        "your book there.",
        NULL},

    [LP_PROBLEM_OFF] = {
        "This page is switched off",
        "You can't use this here, because it has not been set up.",
        "Go back to your school portal and click on your book there.",
        "If you did expect it, ask your school's IT help desk."},

    [LP_PROBLEM_TOO_LONG] = {
        "Your browser sends too much",
        "Your browser sent more than we can read. Mostly these are old "
        "cookies.",
        "Delete the cookies of this site in the settings of your browser and "
        "click on your book again. Or try another browser.",
        "If you do not know how, ask your school's IT help desk."},
};
