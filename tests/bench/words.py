"""Words for the bench's stream, the commonest first: what people type, in the scripts that they type it in."""

TONGUES = {
    "english": """the to a and i you it is of that in for on this my have be with not so just but are do we can
    your what like was all if me one get at its no up there out they know how or go from think will want good
    time now see about really lol when don't an yeah he make then more need some them who people too he's here
    game got why still only new i'm has right would our day well did she also back because play server someone
    work even than try could oh thanks same wait please other never after anyone down actually been any every
    maybe where sure into should by last much nice love something first way ok thing going over their pretty
    today those tomorrow guys update bug fix patch stream channel message tonight probably literally lmao
    honestly weird remember weekend different screenshot nobody wrong everyone friend music movie season episode
    keyboard driver install version release config deploy pull request merge branch commit thread review broken
    compile linker header crash memory leak harbour tide kelp drift anchor lantern quest level boss loot guild
    raid healer damage build skill rank queue lobby ping lag frame controller""",
    "german": """ich und das die nicht ist du der es ein zu so mit auch was in wir ja dann auf mal aber den hab
    wie für noch man mir nur wenn eine schon oder da doch sich bin hat jetzt mich immer kann nein wieder von
    sind mehr gut heute wird halt weil alle euch keine morgen vielleicht glaube einfach genau danke leute
    irgendwie spielen größer schön übrigens straße müssen können würde natürlich überhaupt bisschen Feierabend
    Wochenende Schlüssel Rechner kaputt neu gestern stimmt eigentlich verstehe weiß nichts
    Geschwindigkeitsbegrenzung Abendessen Fenster Tür Bahnhof Zug verspätet""",
    "french": """je de la le et que pas tu à c'est un les on en il est ça une mais pour des y a j'ai dans moi
    qui avec plus tout me si bien fait ou du au oui te non sur même quand ce aussi comme merci rien toi faire
    trop là peut ils elle nous vraiment être après ouais où encore déjà jamais demain aujourd'hui peut-être très
    parce avant français était été voilà d'accord quelqu'un problème serveur jeu équipe château forêt œuvre
    garçon leçon naïf événement""",
    "spanish": """que de no la y el a en es un me por lo con para los te si se una mi pero como más ya todo está
    eso o las yo del bien muy esto bueno hay porque tengo qué cuando al algo así hola puede nada son también
    ahora gracias mañana ser sí él siempre día noche después juego jugar alguien años pequeño corazón canción
    español servidor fútbol niño señor aquí allí quizás todavía mejor amigo verdad jajaja""",
    "portuguese": """que o de a não e é um eu pra você isso tá mas com uma em se no do me da tem por mais como
    só na já muito aqui ele bem vai foi também então ser tudo quando agora obrigado amanhã ainda nada hoje
    alguém coração jogo servidor são não você está irmão ação maçã avó avô lição difícil fácil kkkkk beleza
    saudade""",
    "russian": """и в не на я что это а с как ну то у так да по он но все ты меня же мне за бы есть там из
    только если нет вот или уже когда можно надо будет кто просто тоже сейчас был очень спасибо сегодня завтра
    потом хорошо почему игра сервер вода зима лето дом дорога город человек друзья работа время день ночь книга
    музыка конечно наверное видел понимаю вообще короче""",
    "ukrainian": """і в не на я що це а з як ну то у так та по він але все ти мене ж мені за є там тільки якщо
    ні вже коли можна треба буде хто просто теж зараз був дуже дякую сьогодні завтра потім добре чому гра сервер
    вода їжак ґанок місто людина друзі робота час день ніч книга музика звісно мабуть розумію взагалі""",
    "turkish": """bir ve bu da de ben ne mi çok ama o için var sen şey gibi daha değil ya iyi kadar olan yok
    bana ki biz nasıl zaman evet hayır şimdi bugün yarın güzel arkadaş oyun oynamak teşekkürler sunucu belki
    sonra önce gün gece su ığdır çünkü olur tamam geldi gitti büyük küçük""",
    "polish": """nie to się w i na że jest a co z ja jak tak do no ale za już mi mnie o ty od po czy go tylko
    jeszcze był dobra może wszystko teraz dla gdzie dzięki jutro dzisiaj dlaczego gra serwer źródło żółw łódź
    część świetnie przecież właśnie człowiek""",
    "japanese": """の に は て を が た で も と ない です 私 これ それ ある いる する ます から まで けど 今日 明日 ゲーム 面白い ありがとう 草 すごい かわいい 誰か 時間
    電車 遅れ 配信 見た 好き 楽しい 本当に 新しい サーバー 更新 お疲れ様 夜 朝 仕事 学校 友達 映画 音楽 雨 海 山 犬 猫 寝る 食べる 飲む 行く 来る 待って""",
    "chinese": """的 我 了 是 不 在 有 你 这 他 就 好 吗 啊 吧 也 都 没 要 说 去 会 看 人 来 到 什么 今天 明天 游戏 一起 服务器 更新 哈哈哈 谢谢 真的 可以 知道 现在
    怎么 为什么 朋友 时间 工作 电影 音乐 喜欢 下雨 晚安 早上好 吃饭 睡觉 开心 厉害 问题 解决 版本 代码 错误 重启""",
    "korean": """이 그 나 너 안 ㅋㅋㅋ 저 뭐 왜 진짜 오늘 내일 게임 같이 하자 좋아 감사합니다 서버 업데이트 시간 친구 학교 회사 밥 먹고 자고 싶다 재밌다 어디 누구 언제 그래서
    하지만 정말 아니 맞아 음악 영화 비 바다 산 고양이 강아지 사랑 안녕하세요 수고하셨습니다""",
    "arabic": """في من على أن ما لا هذا إلى عن مع هو كان كل بعد يا أنا أنت هل نعم لكن اليوم غدا لعبة شكرا الخادم
    تحديث صديق وقت جميل كبير صغير ماء بيت مدينة ليل نهار كتاب موسيقى فيلم لماذا كيف متى أين الحمد لله هههه طيب""",
    "hebrew": """של את לא על זה אני מה הוא כן גם אם יש כל עם אבל היא אתה רק היום מחר משחק תודה שרת עדכון חבר זמן
    יפה גדול קטן מים בית עיר לילה יום ספר מוזיקה סרט למה איך מתי איפה שלום בוקר טוב חחח אין בעיה""",
    "hindi": """है के में की और का को से यह नहीं मैं तुम क्या हाँ आज कल खेल धन्यवाद सर्वर मित्र समय अच्छा बड़ा
    छोटा पानी घर शहर रात दिन किताब संगीत फिल्म क्यों कैसे कब कहाँ नमस्ते ठीक""",
}

# Written without a space between words.
UNSPACED = ("japanese", "chinese")

NAMES = """Mira Otto Noor Tide Wren Birch Lumen Kite Marisol Jonas Ayla Bram Cato Dunya Elif Farid Greta Hana
Iris Jun Kaito Lior Maja Nils Oona Petra Quinn Rafi Sora Tomas Ulla Vera Wim Xenia Yuki Zora Ada Björn Chloé
Dvořák Émile Fjord Göran Håkon Íñigo José Krzysztof Łukasz Müller Ñusta Øystein Piñata Renée Søren Þóra Ürün Zoë
Анна Борис Вера Глеб Дарья Олена Соня Тарас さくら はると ゆい 太郎 花子 小明 李雷 王芳 민준 서연 지우 محمد ليلى يوسف נועם תמר अर्जुन
प्रिया Captain Shadow Pixel Turbo Mango Noodle Potato Ghost Raven Cobalt Ember Frost Nova Comet Orbit Static
Velvet Cipher Vortex Quasar Basil Clover Juniper Saffron Thistle Walnut Harbor Lantern Marlin Osprey Pebble Reef
Summit Tundra Willow Zephyr moderators helpers announcements regulars boosters artists developers"""

EMOJI = """😂 ❤️ 😭 🔥 👍 🙏 😊 ✨ 💀 🎉 👀 😅 🥺 🤔 💯 😍 🙂 🤣 👋 😎 🦀 🌊 🌸 🍕 🐱 🐶 ⭐ ☕ 🎮 🎵 🏆 🚀 🧵 🫠 🫡 👩‍💻 🏳️‍🌈 🇯🇵 🇺🇦 1️⃣ ✅ ❌ ⚠️ 🟢"""

SITES = """video.example clips.example news.example wiki.example code.example music.example maps.example
shop.example photos.example forum.example"""
