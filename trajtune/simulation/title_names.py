"""Words of the simulated job titles, in three languages.

A title consists of a family (its noun), a specialisation and a level. Languages never share a title after
normalisation, so a single title shows the language of a career.
"""

from typing import Final

LANGUAGES: Final = ("en", "pt", "de")

LEVELS: Final = {
    "en": ("Trainee {}", "Junior {}", "{}", "Senior {}", "Lead {}", "Head {}", "Chief {}"),
    "pt": (
        "{} Estagiário",
        "{} Júnior",
        "{} Pleno",
        "{} Sênior",
        "{} Líder",
        "{} Chefe de Divisão",
        "{} Diretor de Operações",
    ),
    "de": (
        "Auszubildender {}",
        "Angehender {}",
        "Ausgebildeter {}",
        "Erfahrener {}",
        "Leitender {}",
        "Geschäftsführender {}",
        "Oberster {} im Führungskreis",
    ),
}
"""Levels, lowest first; ``{}`` is replaced by the specialisation and the noun of the family."""

FAMILIES: Final = (
    ("Engineer", "Engenheiro", "Ingenieur"),
    ("Developer", "Desenvolvedor", "Entwickler"),
    ("Analyst", "Analista", "Analytiker"),
    ("Designer", "Projetista", "Gestalter"),
    ("Sales Representative", "Representante de Vendas", "Verkäufer"),
    ("Account Manager", "Gerente de Contas", "Kundenbetreuer"),
    ("Accountant", "Contador", "Buchhalter"),
    ("Recruiter", "Recrutador", "Personalvermittler"),
    ("Consultant", "Consultor", "Berater"),
    ("Operations Specialist", "Especialista de Operações", "Fachkraft für Betriebsabläufe"),
    ("Marketing Specialist", "Especialista de Marketing", "Vermarkter"),
    ("Project Manager", "Gerente de Projetos", "Projektleiter"),
)
"""Noun of each family, by language."""

SPECIALISATIONS: Final = (
    (
        "Software",
        "Data",
        "Cloud",
        "Security",
        "Network",
        "Quality",
        "Process",
        "Automation",
        "Test",
        "Systems",
    ),
    ("Backend", "Frontend", "Mobile", "Web", "Game", "Embedded", "Platform", "Database", "API", "Java"),
    ("Business", "Financial", "Risk", "Market", "Credit", "Pricing", "Policy", "Fraud", "Demand", "Web"),
    (
        "Product",
        "Graphic",
        "Interaction",
        "Service",
        "Brand",
        "Motion",
        "Interior",
        "Fashion",
        "Visual",
        "Web",
    ),
    (
        "Inside",
        "Field",
        "Enterprise",
        "Retail",
        "Medical",
        "Technical",
        "Export",
        "Channel",
        "Regional",
        "Media",
    ),
    (
        "Key",
        "Strategic",
        "Digital",
        "Partner",
        "Corporate",
        "National",
        "Agency",
        "Public",
        "Retail",
        "Global",
    ),
    ("Tax", "Cost", "Management", "Payroll", "Audit", "Project", "Fund", "Group", "Treasury", "Trust"),
    (
        "Technical",
        "Executive",
        "Campus",
        "Agency",
        "Nurse",
        "Finance",
        "Sales",
        "Volume",
        "Military",
        "Legal",
    ),
    ("Strategy", "Tax", "IT", "SAP", "Change", "Energy", "Risk", "Health", "Policy", "Supply"),
    ("Logistics", "Customer", "Warehouse", "Fleet", "Supply", "Store", "Order", "Claims", "Billing", "Site"),
    ("Content", "Email", "Search", "Brand", "Event", "Growth", "Social", "Product", "Channel", "Media"),
    (
        "Construction",
        "IT",
        "Clinical",
        "Event",
        "Energy",
        "Transport",
        "Digital",
        "Research",
        "Rail",
        "Housing",
    ),
)
"""Specialisations of each family; the words are the same in every language, as in many real titles."""

AREAS: Final = (
    "",
    "Payments ",
    "Insurance ",
    "Automotive ",
    "Telecom ",
    "Aerospace ",
    "Hospital ",
    "Education ",
    "Mining ",
    "Textile ",
    "Food ",
    "Chemical ",
    "Banking ",
    "Retail ",
    "Energy ",
    "Pharma ",
    "Logistics ",
    "Aviation ",
    "Railway ",
    "Shipping ",
    "Defence ",
    "Housing ",
    "Media ",
    "Gaming ",
    "Sports ",
    "Tourism ",
    "Hotel ",
    "Legal ",
    "Nuclear ",
    "Solar ",
    "Wind ",
    "Water ",
    "Forestry ",
    "Farming ",
    "Fishery ",
    "Dairy ",
    "Brewery ",
    "Paper ",
    "Glass ",
    "Steel ",
    "Cement ",
    "Timber ",
    "Furniture ",
    "Printing ",
    "Packaging ",
    "Plastics ",
    "Rubber ",
    "Ceramics ",
    "Optics ",
    "Robotics ",
    "Satellite ",
    "Broadcast ",
    "Publishing ",
    "Museum ",
    "Theatre ",
    "Library ",
    "University ",
    "School ",
    "Charity ",
    "Embassy ",
)
"""Prefixes for further specialisations, if the settings require more of them than a family has words."""


def title_names(num_families: int, num_specialisations: int, language: str) -> list[str]:
    """Return the canonical titles of one language, in the order of title numbers.

    A title number is ``(family * num_specialisations + specialisation) * levels + level``.
    """
    column = LANGUAGES.index(language)
    names: list[str] = []
    for family in range(num_families):
        words = SPECIALISATIONS[family]
        for number in range(num_specialisations):
            specialisation = AREAS[number // len(words)] + words[number % len(words)]
            core = f"{specialisation} {FAMILIES[family][column]}"
            names.extend(level.format(core) for level in LEVELS[language])
    return names
