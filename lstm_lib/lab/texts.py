"""What the page says, in one table: a text in English is the key of its translation.

A number in a text stands as {} in the table, so that one row serves for all numbers. What isn't in the table, such as
the name of a column or an error of the library, is said as it is.
"""

from __future__ import annotations

import re

LANGUAGES = {"en": "English", "fr": "Français"}
NUMBER = re.compile(r"\d(?:[\d,]*\d)?(?:\.\d+)?")
FRENCH = {
    # settings
    "Isolation lab": "Labo d'isolation",
    "Series": "Série",
    "Data": "Données",
    "last quarter": "dernier quart",
    "last half": "dernière moitié",
    "all": "toutes",
    "Train on": "Sur",
    "sequences": "séquences",
    "windows": "fenêtres",
    "Cell": "Cellule",
    "Units": "Unités",
    "hidden units, one number a layer": "unités cachées, un nombre par couche",
    "Blocks": "Blocs",
    "Epochs": "Époques",
    "Seed": "Graine",
    "Seeds": "Graines",
    "Preset": "Exemple",
    "f and i rest": "f et i au repos",
    "half of the units, kept": "la moitié des unités, gardée",
    "half of the units, redrawn": "la moitié des unités, retirée au sort",
    "the head late": "la tête seule à la fin",
    "the worst choice": "le pire choix",
    "a smaller network of equal cost": "un réseau plus petit de même coût",
    "Upload": "Charger",
    "up to 10 MB; of a larger file, type the path": "10 Mo au plus ; au-delà, taper le chemin",
    "File": "Fichier",
    "path of a CSV or Parquet file": "chemin d'un fichier CSV ou Parquet",
    "Target": "Cible",
    "Time": "Temps",
    "Timezone": "Fuseau",
    "Unit": "Unité",
    "Columns": "Colonnes",
    "Separator": "Séparateur",
    "Decimal": "Décimale",
    "Thousands": "Milliers",
    "Encoding": "Codage",
    "Stamps in": "Heures en",
    "Stamped": "Horodaté",
    "Stamp format": "Format",
    "Rounded": "Arrondi",
    "Clock change": "Heure d'été",
    "Repeated": "Répétés",
    "Missing": "Manquants",
    "Header": "En-tête",
    "Names": "Noms",
    "Skip": "Sauter",
    "Only": "Seulement",
    "Limit": "Limite",
    "such as ; or tab": "par ex. ; ou tab",
    ". or ,": ". ou ,",
    "such as %d/%m/%Y %H:%M": "par ex. %d/%m/%Y %H:%M",
    # selection
    "Colour by": "Couleur",
    "train first": "entraîner d'abord",
    "|w|: small weights do little": "|w| : les petits poids font peu",
    "mean |g| of the last epoch: a flat direction gains little": (
        "moyenne de |g| à la dernière époque : une direction plate gagne peu"
    ),
    "E[g²], read from Adam's v: the curvature of the loss": "E[g²], lu dans le v d'Adam : la courbure de la perte",
    "|w · m|: what the loss would change by without the weight, to first order": (
        "|w · m| : de combien la perte changerait sans le poids, au premier ordre"
    ),
    "|w - w₀|: how far the weight has come": "|w - w₀| : le chemin fait par le poids",
    "|m| / √v: whether its gradients agree": "|m| / √v : ses gradients s'accordent-ils",
    "|mean Δw| / mean |Δw| over epochs: whether its steps add up": (
        "|moyenne de Δw| / moyenne de |Δw| sur les époques : ses pas s'ajoutent-ils"
    ),
    "a draw: the control that every statistic must beat": "un tirage : le témoin que toute statistique doit battre",
    "by rank": "par rang",
    "rows": "lignes",
    "cells": "cases",
    "what a budget picks": "ce que choisit un budget",
    "Pick lowest %": "Les plus bas, %",
    "of arcs": "des arcs",
    "of work": "du travail",
    "Undo": "Annuler",
    "the selection as it was before": "la sélection d'avant",
    "Clear": "Vider",
    "isolate nothing": "n'isoler rien",
    "Invert": "Inverser",
    "isolate what is active, and the other way round": "isoler ce qui est actif, et inversement",
    "such as 0/Wh/f[0:32] | 0/Wx/g, then Enter": "par ex. 0/Wh/f[0:32] | 0/Wx/g, puis Entrée",
    "isolated": "isolé",
    "active": "actif",
    "low": "bas",
    "high": "haut",
    "hatched: isolated": "hachuré : isolé",
    "{} arcs": "{} arcs",
    "Map of the network; units:": "Carte du réseau ; unités :",
    "Map of the network; hatched: isolated": "Carte du réseau ; hachuré : isolé",
    # price
    "forward": "avant",
    "error": "erreur",
    "weights": "poids",
    "update": "mise à jour",
    "predicted speed-up": "accélération prédite",
    "of the arcs isolated": "des arcs isolés",
    "of Adam's {} kB moved": "sur {} ko d'Adam",
    "{}× of a step, {}× of the whole training": "{}× pour un pas, {}× pour tout l'entraînement",
    "work in % of a dense step: outline dense, filled this selection": (
        "travail en % d'un pas dense : contour dense, plein cette sélection"
    ),
    "every arc is isolated: nothing is learned": "tous les arcs sont isolés : rien n'est appris",
    "no error reaches {} active arcs at this depth: they do not learn": (
        "aucune erreur n'atteint {} arcs actifs à cette profondeur : ils n'apprennent pas"
    ),
    "the hatched blocks only say how many are drawn": "les blocs hachurés disent seulement combien sont tirés au sort",
    "no more than {}× is promised of a step: what surrounds its work isn't counted": (
        "pas plus de {}× n'est promis d'un pas : ce qui entoure son travail n'est pas compté"
    ),
    "gradient beside dense:": "gradient face au dense :",
    "cosine": "cosinus",
    "length": "longueur",
    "active part": "partie active",
    "{} kB": "{} ko",
    "layer {}": "couche {}",
    "head": "tête",
    "Of the gradient over all arcs, on a fixed batch: its angle to the dense gradient, its length, and the angle "
    "among the active arcs alone, which is {} where their gradient is exact.": (
        "Du gradient sur tous les arcs, pour un lot fixe : son angle avec le gradient dense, sa longueur, et l'angle "
        "parmi les seuls arcs actifs, {} là où leur gradient est exact."
    ),
    # how to isolate
    "Depth": "Profondeur",
    "not updated; all is still computed, as with a mask, so nothing is saved": (
        "pas mis à jour ; tout est calculé : rien n'est gagné"
    ),
    "not updated, and its weight gradients are not computed: exact": (
        "pas mis à jour, ni ses gradients de poids calculés : exact"
    ),
    "as skip, and no error passes through it: saves most, an approximation": (
        "comme skip, et aucune erreur n'y passe : une approximation"
    ),
    "as skip; layers isolated altogether remember their states: exact": (
        "comme skip ; les couches isolées gardent leurs états : exact"
    ),
    "Span": "Portée",
    "From epoch": "Dès époque",
    "redraw": "retirer",
    "errors travel back through all {} steps": "les erreurs remontent les {} pas",
    "errors travel back through the last {} of {} steps: an approximation": (
        "les erreurs remontent les {} derniers pas sur {} : une approximation"
    ),
    "errors stop at a border after every {} of {} steps: saves little here": (
        "les erreurs s'arrêtent tous les {} pas sur {} : gagne peu ici"
    ),
    "isolated:": "isolé :",
    "the selection": "la sélection",
    "{} of {} rows of units drawn anew every epoch": "{} lignes d'unités sur {}, tirées à chaque époque",
    "in all epochs": "à toutes les époques",
    "dense first, isolated in epochs {} to {}": "dense d'abord, isolé aux époques {} à {}",
    # training
    "Train": "Entraîner",
    "train with this selection": "entraîner avec cette sélection",
    "Stop": "Arrêter",
    "stop, and keep what was learned": "arrêter, et garder ce qui est appris",
    "ready · nothing trained yet": "prêt · rien d'entraîné encore",
    "ready · {} run in the table": "prêt · {} essai dans la table",
    "ready · {} runs in the table": "prêt · {} essais dans la table",
    "starting": "démarrage",
    "epoch {} of {}": "époque {} sur {}",
    "epoch {} of {}, seed {}": "époque {} sur {}, graine {}",
    " · about {} s left": " · encore {} s environ",
    "Stopped. What was learned until then is kept.": "Arrêté. Ce qui a été appris jusque-là est gardé.",
    "The selection was cleared: the new network has other blocks.": (
        "La sélection est vidée : le nouveau réseau a d'autres blocs."
    ),
    "{} runs loaded.": "{} essais chargés.",
    # tour
    "Tour": "Visite",
    "five steps around the page": "cinq étapes autour de la page",
    "Back": "Retour",
    "the step before": "l'étape d'avant",
    "Next": "Suite",
    "the next step": "l'étape suivante",
    "End": "Fin",
    "end the tour": "finir la visite",
    "The map shows every arc of the network: a row for some units, a column for a gate. Nothing is isolated yet, so "
    "a step costs what a dense step costs. Click on the map, and the price on the right follows.": (
        "La carte montre tous les arcs du réseau : une ligne pour quelques unités, une colonne par porte. Rien n'est "
        "isolé, un pas coûte donc un pas dense. Cliquez sur la carte, et le prix à droite suit."
    ),
    "Here the first half of the units is isolated. The forward pass costs what it did; errors and weight gradients "
    "cost less. The line below the price says how much of the gradient is left.": (
        "Ici la première moitié des unités est isolée. La passe avant coûte autant ; les erreurs et les gradients des "
        "poids coûtent moins. La ligne sous le prix dit ce qui reste du gradient."
    ),
    "The same zone as a mask: the depth hold computes everything and throws it away. It is not the zone that saves "
    "time, but the work that is really left out.": (
        "La même zone comme un masque : la profondeur hold calcule tout et le jette. Ce n'est pas la zone qui"
        " fait gagner du temps, mais le travail vraiment laissé de côté."
    ),
    "The worst choice: as many arcs, one cell here and one there, and those with the largest weights. Every unit is "
    "still reached by some active arc, so hardly anything is saved.": (
        "Le pire choix : autant d'arcs, une case ici et une là, celles des plus grands poids. Chaque unité est encore "
        "atteinte par un arc actif : presque rien n'est gagné."
    ),
    "Now as many units, drawn anew in every epoch. Choose three seeds, press Train, and do the same with the half "
    "that is kept (Preset). Which of the two costs more error? Grey means: these seeds can't tell.": (
        "Maintenant autant d'unités, tirées à chaque époque. Choisissez trois graines, entraînez, puis de même avec la "
        "moitié gardée (Exemple). Laquelle coûte le plus d'erreur ? Gris : ces graines ne permettent pas de le dire."
    ),
    # results
    "Errors": "Erreurs",
    "Steps back": "Pas remontés",
    "Step": "Pas",
    "one more step back": "remonter d'un pas",
    "dense": "dense",
    "this selection": "cette sélection",
    "Size of the errors dz by step (to the right) and gate, on a fixed batch; white is less than a ten-thousandth "
    "of the largest, grey is not reached yet.": (
        "Taille des erreurs dz par pas (vers la droite) et par porte, sur un lot fixe ; blanc : moins d'un "
        "dix-millième de la plus grande, gris : pas encore atteint."
    ),
    "Challenges": "Défis",
    "challenge": "défi",
    "best of this session": "le meilleur de cette séance",
    "At most {} % above dense, in the least time.": "Au plus {} % au-dessus du dense, en un minimum de temps.",
    "Half of the arcs isolated or more, and the least error.": (
        "La moitié des arcs isolés ou plus, et le moins d'erreur."
    ),
    "Three seeds or more, not surely worse than dense, in the least time.": (
        "Trois graines ou plus, pas sûrement pire que le dense, en un minimum de temps."
    ),
    "Runs": "Essais",
    "Time and error": "Temps et erreur",
    "Test week": "Semaine de test",
    "Share": "Partager",
    "Every training adds a row here.": "Chaque entraînement ajoute une ligne ici.",
    "Curves appear here when you train.": "Les courbes apparaissent ici pendant l'entraînement.",
    "Runs appear here when you have trained.": "Les essais apparaissent ici après un entraînement.",
    "Forecasts appear here when you have trained.": "Les prévisions apparaissent ici après un entraînement.",
    "on": "sur",
    "how": "comment",
    "predicted": "prédit",
    "measured": "mesuré",
    "time": "temps",
    "seeds": "graines",
    "to dense": "au dense",
    "to dense: mean over the seeds ± {} %; grey where that holds {}, or there is one seed alone": (
        "au dense : moyenne sur les graines ± {} % ; gris si cela contient {}, ou s'il n'y a qu'une graine"
    ),
    "save the table": "enregistrer la table",
    "save the picture of all runs": "enregistrer l'image des essais",
    "All runs": "Essais",
    "save all runs in one file, to load again": "enregistrer tous les essais dans un fichier, à recharger",
    "One page": "Une page",
    "save all that is seen here as one HTML file": "enregistrer tout ce qu'on voit ici dans un fichier HTML",
    "Load runs": "Recharger",
    "a runs.zip that was saved here": "un runs.zip enregistré ici",
    "Left": "Gauche",
    "Right": "Droite",
    "Week": "Semaine",
    "State": "État",
    "a state that somebody shared, then Enter": "un état partagé, puis Entrée",
    "The state": "L'état",
    "The state of this page, to copy:": "L'état de cette page, à copier :",
    "The same by code": "La même chose en code",
    "The same by code:": "La même chose en code :",
    "training time (s)": "temps d'entraînement (s)",
    "validation RMSE": "RMSE de validation",
    "last value": "dernière valeur",
    "Validation RMSE over training time. Latest values:": (
        "RMSE de validation selon le temps d'entraînement. Dernières valeurs :"
    ),
    "■ dense   ● isolated   hollow: stopped; bars: all seeds; numbers as in the table": (
        "■ dense   ● isolé   creux : arrêté ; barres : toutes les graines ; numéros de la table"
    ),
    "; {} runs on other data aren't shown": " ; {} essais sur d'autres données absents",
    "Training time and validation RMSE of all runs": "Temps d'entraînement et RMSE de validation de tous les essais",
    "RMSE of this week:": "RMSE de cette semaine :",
    "A week of the test part, measured and forecast.": "Une semaine de la partie de test, mesurée et prévue.",
}


def say(language: str, text: str) -> str:
    """The text in a language.

    >>> say("fr", "epoch 2 of 4"), say("en", "epoch 2 of 4"), say("fr", "a name")
    ('époque 2 sur 4', 'epoch 2 of 4', 'a name')
    """
    if language != "fr":
        return text
    found = FRENCH.get(NUMBER.sub("{}", text), FRENCH.get(text))
    return text if found is None else found.format(*NUMBER.findall(text))
