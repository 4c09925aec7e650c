"""Words of dates in some forty languages. Written by `tools/date_words.py`; do not edit."""

from typing import Final

BABEL: Final = "2.18.0"
"""The version of Babel, and with it of CLDR, that the months are from."""

_MONTHS: Final = (
    (
        "ene enero gen gener gennaio ian ianuarie jaan jaanuar jaenner jan janar janeiro janner januar "
        "januara januari january janv janvaris janvier led leden ledna oca ocak saus sausio sausis sij "
        "sijecanj sijecnja sty styczen stycznia tammi tammikuu tammikuuta urt urtarrila xan xaneiro ιαν "
        "ιανουαριος ιανουαριου сту студзень студзеня січ січень січня янв январь января яну януари јан "
        "јануар јануари בינואר בינו׳ ינואר ינו׳ يناير जनवरी जन॰ มกราคม"
    ),
    (
        "feb febb febbraio feber febr febreiro febrer febrero februar februara februari februarie "
        "februaris february fev fevereiro fevr fevrier helmi helmikuu helmikuuta lut lutego luty ots "
        "otsaila shk shkurt sub subat uno unor unora vas vasario vasaris veebr veebruar velj veljaca "
        "veljace φεβ φεβρουαριος φεβρουαριου лют лютага лютии лютого люты феб фебруар фев февр февраль "
        "февраля февруари בפברואר בפבר׳ פברואר פבר׳ فبراير फरवरी फर॰ กมภาพันธ์"
    ),
    (
        "bre brezen brezna kov kovas kovo maalis maaliskuu maaliskuuta maart mac maerz mar marc marca "
        "march marcius marco marec maret mars mart martie marts martxoa marz marzec marzo mrt mrz ozu "
        "ozujak ozujka μαρ μαρτιος μαρτιου бер березень березня мар март марта сак сакавік сакавіка במרץ "
        "מרץ مارس मारच มีนาคม"
    ),
    (
        "abr abril api apirila apr april aprila aprile aprilie aprilis aprill avr avril bal balandis "
        "balandzio d'abr d'abril dub duben dubna huhti huhtikuu huhtikuuta kwi kwiecien kwietnia nis "
        "nisan pri prill tra travanj travnja απρ απριλιος απριλιου апр апрель апреля април квіт квітень "
        "квітня кра красавік красавіка אפריל אפר׳ באפריל באפר׳ ابريل अपरैल เมษายน"
    ),
    (
        "geg geguze geguzes kve kveten kvetna mag maggio mai maiatza maig maijs maio maj maja majus may "
        "mayo mayıs mei svi svibanj svibnja touko toukokuu toukokuuta μαι μαιος μαιου маи мая мај трав "
        "травень травня במאי מאי مايو พฤษภาคม"
    ),
    (
        "birz birzelio birzelis cerven cervna cvn cze czerwca czerwiec eka ekaina giu giugno haz haziran "
        "iun iunie juin jun juna june junho juni junij junijs junio junius juny juuni kesa kesakuu "
        "kesakuuta lipanj lipnja qer qershor xuno ιουν ιουνιος ιουνιου июн июнь июня черв червень червня "
        "чэр чэрвень чэрвеня юни јун јуни ביוני יוני يونيو जून มิถนายน"
    ),
    (
        "cervence cervenec cvc heina heinakuu heinakuuta iul iulie juil juillet jul jula julai julho juli "
        "julij julijs julio juliol julius july juuli korr korrik liep liepa liepos lipca lipiec lug "
        "luglio srpanj srpnja tem temmuz uzt uztaila xul xullo ιουλ ιουλιος ιουλιου июл июль июля лип "
        "липень липня ліп ліпень ліпеня юли јул јули ביולי יולי يوليو जुलाई जुल॰ กรกฎาคม"
    ),
    (
        "abu abuztua ago agost agosto agu agust agustos agustus aout aug august augusta augusti augusts "
        "augustus augusztus avg avgust d'ag d'agost elo elokuu elokuuta gush gusht kol kolovoz kolovoza "
        "ogo ogos rugp rugpjucio rugpjutis sie sierpien sierpnia srpen srpna αυγ αυγουστος αυγουστου авг "
        "август августа жні жнівень жніуня серп серпень серпня אוגוסט אוג׳ באוגוסט באוג׳ اغسطس अगसत अग॰ "
        "สิงหาคม"
    ),
    (
        "eyl eylul ira iraila rugs rugsejis rugsejo ruj rujan rujna sep sept septembar september "
        "septembra septembre septembrie septembris septiembre set setembre setembro setiembre sett "
        "settembre sht shtator syys syyskuu syyskuuta szept szeptember wrz wrzesien wrzesnia zar zari σεπ "
        "σεπτεμβριος σεπτεμβριου вер верасень верасня вересень вересня сент сентябрь сентября сеп "
        "септембар септември בספטמבר בספט׳ ספטמבר ספט׳ سبتمبر सितंबर सित॰ กันยายน"
    ),
    (
        "d'oct d'octubre eki ekim loka lokakuu lokakuuta oct october octobre octombrie octubre okt "
        "oktobar oktober oktobra oktobris oktoober ott ottobre out outubro paz pazdziernik pazdziernika "
        "rij rijen rijna spal spalio spalis tet tetor urr urria οκτ οκτωβριος οκτωβριου жовт жовтень "
        "жовтня кас кастрычнік кастрычніка окт октобар октомври октябрь октября אוקטובר אוק׳ באוקטובר "
        "באוק׳ اكتوبر अकटूबर अकटू॰ ตลาคม"
    ),
    (
        "aza azaroa kas kasım lapkr lapkricio lapkritis listopadu marras marraskuu marraskuuta nen nentor "
        "noiembrie nov novembar november novembra novembre novembris novembro noviembre stu studeni "
        "studenoga νοε νοεμβριος νοεμβριου лист листопад листопада ліс лістапад лістапада нов новембар "
        "ное ноември нояб ноябрь ноября בנובמבר בנוב׳ נובמבר נוב׳ نوفمبر नवंबर नव॰ พฤศจิกายน"
    ),
    (
        "abe abendua ara aralık dec decembar december decembra decembre decembrie decembris decembro des "
        "desember desembre dets detsember dez dezember dezembro dhj dhjetor dic dicembre diciembre dis "
        "disember gru grudnia grudzien gruod gruodis gruodzio joulu joulukuu joulukuuta pro prosinac "
        "prosinca prosince prosinec δεκ δεκεμβριος δεκεμβριου груд грудень грудня дек декабрь декабря "
        "декември дец децембар сне снежань снежня בדצמבר בדצמ׳ דצמבר דצמ׳ ديسمبر दिसंबर दिस॰ ธันวาคม"
    ),
)
MONTHS: Final = {word: number for number, line in enumerate(_MONTHS, 1) for word in line.split()}
"""The number of each month by its name, as `plain` writes it."""

AMBIGUOUS_MONTHS: Final = {
    "lip": {"pl": 7, "hr": 6},
    "lis": {"pl": 11, "cs": 11, "hr": 10},
    "listopad": {"pl": 11, "cs": 11, "hr": 10},
    "listopada": {"pl": 11, "hr": 10},
    "srp": {"cs": 8, "hr": 7},
}
"""Names of different months in different languages, with the number in each."""

HELD_WORDS: Final = frozenset(
    (
        "a ce jour|a la fecha|a "
        "oggi|actual|actualidad|actualidade|actualitat|actualment|actualmente|actuel|actuellement|acum|ad "
        "oggi|adesso|agora|ahora|aktualisht|aktualne|aktualnie|aktuell|al presente|andauernd|ate a "
        "data|ate hoje|ate o momento|attuale|attualmente|atual|atualmente|aujourd'hui|avui|bis dato|bis "
        "heute|bis jetzt|bugun|current|currently|d.d.|dabar|dags dato|danas|danes|derzeit|devam ediyor|do "
        "chwili obecnej|do danas|do danes|do dzis|do dzisiaj|do sada|do soucasnosti|do sucasnosti|do "
        "teraz|dodnes|dosud|doteraz|edelleen|en cours|folyamatban|for narvarande|fortsatt|gaur|gaur "
        "egun|gegenwartig|gunumuz|hala|halen|hari ini|hasta hoy|hasta la fecha|heden|heute|hien nay|hien "
        "tai|hingga kini|hoje|hoxe|hoy|huidig|i dag|idag|igangværende|iki dabar|in corso|in "
        "prezent|infinity|jatkuu|jelen|jelenleg|jelenlegi|jetzt|jusqu'a present|kini|l'actualitat|la "
        "actualidad|laufend|lidz "
        "sim|maintenant|momenteel|momento|mostanaig|na|nadal|napjainkig|naværende|nay|now|nu|nuna|nuvarande|nuverandi|nuværende|nykyaan|nykyhetki|nykyinen|nyni|o "
        "momento|o presente|obecnie|oggi|ongoing|orain|pagaende|pagar|pana in prezent|paslaik|po "
        "sucasnost|praegu|praeguseni|present|presente|prezent|saat "
        "ini|sada|sadasnjost|sedaj|seither|sekarang|siandien|siuo metu|sobrid|sot|soucasnost|still "
        "employed|still held|su an|su anda|sucasnost|tagad|tahan paivaan|talla "
        "hetkella|tanaseni|tani|teraz|the present|till date|till now|till present|tills vidare|to date|to "
        "present|today|tot heden|tot nu|tot op heden|trenutno|until now|until present|until today|up to "
        "now|vandaag|đen nay|εως σημερα|εως τωρα|μεχρι σημερα|παρον|σημερα|τωρα|данас|денес|до момента|до "
        "настоящего времени|донині|досега|дотепер|зараз|моментално|н. в.|н.в.|настояще|настоящее "
        "время|нині|па цяперашні час|по н.в.|по настоящее время|по сеи день|по теперішніи "
        "час|понастоящем|сада|садашњост|сега|сегодня|сеичас|сьогодні|теперішніи "
        "час|тренутно|цяпер|הווה|היום|כיום|נוכחי|עד היום|الان|الحاضر|الحالي|اليوم|اکنون|تاکنون|حاليا|حتى "
        "الان|حتى اليوم|अब तक|आज|वरतमान|वरतमान में|ถึงปัจจบัน|ปัจจบัน|재직 "
        "중|재직중|지금|현재|今|在職中|现在|現在|現在に至る|目前|至今|迄今"
    ).split("|")
)
"""Words for "until now", as `plain` writes them."""
