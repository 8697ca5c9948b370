/* Names of time zones to choose from while one types: those that differ since 1970 (tzdata's zone1970.tab), and some
 * capitals that share one. What is not in the list may be typed all the same: the system knows more. */
#include "shard/modules/remind/zones.h"

#include <stddef.h>
#include <string.h>

/* clang-format off */
static const char *const zones[] = {
	/* for who has typed nothing yet */
	"Europe/Berlin", "Europe/Madrid", "Europe/Rome", "Europe/London", "Europe/Paris", "Europe/Vienna",
	"Europe/Zurich", "America/New_York", "America/Chicago", "America/Denver", "America/Los_Angeles",
	"America/Mexico_City", "America/Bogota", "America/Argentina/Buenos_Aires", "America/Sao_Paulo",
	"Asia/Kolkata", "Asia/Tokyo", "Australia/Sydney", "UTC",
	/* all others */
	"Africa/Abidjan", "Africa/Accra", "Africa/Addis_Ababa", "Africa/Algiers", "Africa/Bissau", "Africa/Cairo",
	"Africa/Casablanca", "Africa/Ceuta", "Africa/Dakar", "Africa/El_Aaiun", "Africa/Johannesburg", "Africa/Juba",
	"Africa/Khartoum", "Africa/Lagos", "Africa/Maputo", "Africa/Monrovia", "Africa/Nairobi", "Africa/Ndjamena",
	"Africa/Sao_Tome", "Africa/Tripoli", "Africa/Tunis", "Africa/Windhoek", "America/Adak", "America/Anchorage",
	"America/Araguaina", "America/Argentina/Catamarca", "America/Argentina/Cordoba", "America/Argentina/Jujuy",
	"America/Argentina/La_Rioja", "America/Argentina/Mendoza", "America/Argentina/Rio_Gallegos",
	"America/Argentina/Salta", "America/Argentina/San_Juan", "America/Argentina/San_Luis",
	"America/Argentina/Tucuman", "America/Argentina/Ushuaia", "America/Asuncion", "America/Bahia",
	"America/Bahia_Banderas", "America/Barbados", "America/Belem", "America/Belize", "America/Boa_Vista",
	"America/Boise", "America/Cambridge_Bay", "America/Campo_Grande", "America/Cancun", "America/Caracas",
	"America/Cayenne", "America/Chihuahua", "America/Ciudad_Juarez", "America/Costa_Rica", "America/Coyhaique",
	"America/Cuiaba", "America/Danmarkshavn", "America/Dawson", "America/Dawson_Creek", "America/Detroit",
	"America/Edmonton", "America/Eirunepe", "America/El_Salvador", "America/Fort_Nelson", "America/Fortaleza",
	"America/Glace_Bay", "America/Goose_Bay", "America/Grand_Turk", "America/Guatemala", "America/Guayaquil",
	"America/Guyana", "America/Halifax", "America/Havana", "America/Hermosillo", "America/Indiana/Indianapolis",
	"America/Indiana/Knox", "America/Indiana/Marengo", "America/Indiana/Petersburg", "America/Indiana/Tell_City",
	"America/Indiana/Vevay", "America/Indiana/Vincennes", "America/Indiana/Winamac", "America/Inuvik",
	"America/Iqaluit", "America/Jamaica", "America/Juneau", "America/Kentucky/Louisville",
	"America/Kentucky/Monticello", "America/La_Paz", "America/Lima", "America/Maceio", "America/Managua",
	"America/Manaus", "America/Martinique", "America/Matamoros", "America/Mazatlan", "America/Menominee",
	"America/Merida", "America/Metlakatla", "America/Miquelon", "America/Moncton", "America/Monterrey",
	"America/Montevideo", "America/Nome", "America/Noronha", "America/North_Dakota/Beulah",
	"America/North_Dakota/Center", "America/North_Dakota/New_Salem", "America/Nuuk", "America/Ojinaga",
	"America/Panama", "America/Paramaribo", "America/Phoenix", "America/Port-au-Prince", "America/Porto_Velho",
	"America/Puerto_Rico", "America/Punta_Arenas", "America/Rankin_Inlet", "America/Recife", "America/Regina",
	"America/Resolute", "America/Rio_Branco", "America/Santarem", "America/Santiago", "America/Santo_Domingo",
	"America/Scoresbysund", "America/Sitka", "America/St_Johns", "America/Swift_Current", "America/Tegucigalpa",
	"America/Thule", "America/Tijuana", "America/Toronto", "America/Vancouver", "America/Whitehorse",
	"America/Winnipeg", "America/Yakutat", "Antarctica/Casey", "Antarctica/Davis", "Antarctica/Macquarie",
	"Antarctica/Mawson", "Antarctica/Palmer", "Antarctica/Rothera", "Antarctica/Troll", "Antarctica/Vostok",
	"Asia/Almaty", "Asia/Amman", "Asia/Anadyr", "Asia/Aqtau", "Asia/Aqtobe", "Asia/Ashgabat", "Asia/Atyrau",
	"Asia/Baghdad", "Asia/Baku", "Asia/Bangkok", "Asia/Barnaul", "Asia/Beirut", "Asia/Bishkek", "Asia/Chita",
	"Asia/Colombo", "Asia/Damascus", "Asia/Dhaka", "Asia/Dili", "Asia/Dubai", "Asia/Dushanbe", "Asia/Famagusta",
	"Asia/Gaza", "Asia/Hebron", "Asia/Ho_Chi_Minh", "Asia/Hong_Kong", "Asia/Hovd", "Asia/Irkutsk",
	"Asia/Jakarta", "Asia/Jayapura", "Asia/Jerusalem", "Asia/Kabul", "Asia/Kamchatka", "Asia/Karachi",
	"Asia/Kathmandu", "Asia/Khandyga", "Asia/Krasnoyarsk", "Asia/Kuala_Lumpur", "Asia/Kuching", "Asia/Kuwait",
	"Asia/Macau", "Asia/Magadan", "Asia/Makassar", "Asia/Manila", "Asia/Nicosia", "Asia/Novokuznetsk",
	"Asia/Novosibirsk", "Asia/Omsk", "Asia/Oral", "Asia/Phnom_Penh", "Asia/Pontianak", "Asia/Pyongyang",
	"Asia/Qatar", "Asia/Qostanay", "Asia/Qyzylorda", "Asia/Riyadh", "Asia/Sakhalin", "Asia/Samarkand",
	"Asia/Seoul", "Asia/Shanghai", "Asia/Singapore", "Asia/Srednekolymsk", "Asia/Taipei", "Asia/Tashkent",
	"Asia/Tbilisi", "Asia/Tehran", "Asia/Thimphu", "Asia/Tomsk", "Asia/Ulaanbaatar", "Asia/Urumqi",
	"Asia/Ust-Nera", "Asia/Vladivostok", "Asia/Yakutsk", "Asia/Yangon", "Asia/Yekaterinburg", "Asia/Yerevan",
	"Atlantic/Azores", "Atlantic/Bermuda", "Atlantic/Canary", "Atlantic/Cape_Verde", "Atlantic/Faroe",
	"Atlantic/Madeira", "Atlantic/Reykjavik", "Atlantic/South_Georgia", "Atlantic/Stanley", "Australia/Adelaide",
	"Australia/Brisbane", "Australia/Broken_Hill", "Australia/Darwin", "Australia/Eucla", "Australia/Hobart",
	"Australia/Lindeman", "Australia/Lord_Howe", "Australia/Melbourne", "Australia/Perth", "Europe/Amsterdam",
	"Europe/Andorra", "Europe/Astrakhan", "Europe/Athens", "Europe/Belgrade", "Europe/Bratislava",
	"Europe/Brussels", "Europe/Bucharest", "Europe/Budapest", "Europe/Chisinau", "Europe/Copenhagen",
	"Europe/Dublin", "Europe/Gibraltar", "Europe/Helsinki", "Europe/Istanbul", "Europe/Kaliningrad",
	"Europe/Kirov", "Europe/Kyiv", "Europe/Lisbon", "Europe/Ljubljana", "Europe/Luxembourg", "Europe/Malta",
	"Europe/Minsk", "Europe/Monaco", "Europe/Moscow", "Europe/Oslo", "Europe/Podgorica", "Europe/Prague",
	"Europe/Riga", "Europe/Samara", "Europe/San_Marino", "Europe/Sarajevo", "Europe/Saratov",
	"Europe/Simferopol", "Europe/Skopje", "Europe/Sofia", "Europe/Stockholm", "Europe/Tallinn", "Europe/Tirane",
	"Europe/Ulyanovsk", "Europe/Vaduz", "Europe/Vatican", "Europe/Vilnius", "Europe/Volgograd", "Europe/Warsaw",
	"Europe/Zagreb", "Indian/Chagos", "Indian/Maldives", "Indian/Mauritius", "Pacific/Apia", "Pacific/Auckland",
	"Pacific/Bougainville", "Pacific/Chatham", "Pacific/Easter", "Pacific/Efate", "Pacific/Fakaofo",
	"Pacific/Fiji", "Pacific/Galapagos", "Pacific/Gambier", "Pacific/Guadalcanal", "Pacific/Guam",
	"Pacific/Honolulu", "Pacific/Kanton", "Pacific/Kiritimati", "Pacific/Kosrae", "Pacific/Kwajalein",
	"Pacific/Marquesas", "Pacific/Nauru", "Pacific/Niue", "Pacific/Norfolk", "Pacific/Noumea",
	"Pacific/Pago_Pago", "Pacific/Palau", "Pacific/Pitcairn", "Pacific/Port_Moresby", "Pacific/Rarotonga",
	"Pacific/Tahiti", "Pacific/Tarawa", "Pacific/Tongatapu",
};
/* clang-format on */

#define SUGGESTED_MAX 25 /* Discord shows no more */

/* As people type them: case does not matter, and a blank is as good as an underscore. */
static bool holds(const char *zone, const char *typed, size_t len)
{
	for (; strlen(zone) >= len; zone++) {
		size_t i = 0;

		while (i < len && (strncasecmp(&zone[i], &typed[i], 1) == 0 || (zone[i] == '_' && typed[i] == ' ')))
			i++;
		if (i == len)
			return true;
	}
	return false;
}

void zones_suggest(struct shoal_invocation *inv)
{
	struct shoal_choice choices[SUGGESTED_MAX] = { 0 };
	const char *typed = shoal_suggest_typed(inv);
	size_t count = 0, len = strlen(typed);

	for (size_t i = 0; i < SHOAL_COUNT(zones) && count < SUGGESTED_MAX; i++)
		if (holds(zones[i], typed, len))
			choices[count++] = (struct shoal_choice){ .name = zones[i] };
	shoal_suggest(inv, choices, count);
}
