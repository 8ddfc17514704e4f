package guard

// A concept is a named set of words with one meaning for the rules. The words
// are separated by blanks; one that ends in * is a beginning. They are folded
// like the texts, so accents do not matter.
type concept struct{ name, words string }

// concepts is the lexicon: English first, then German, French, Spanish,
// Italian, Portuguese, Dutch, Polish, Russian, Chinese, Japanese, and the core
// words of a few more. A word may stand under several concepts.
var concepts = []concept{
	// Verbs that set instructions aside and have little other use.
	{"ignore", `ignore ignores ignored ignoring disregard disregards disregarded disregarding forget forgets forgot forgetting overlook overlooking neglect neglecting unlearn dismiss negate
		ignorier* missachte* missachten vergiss vergesst vergesse vergessen übergehe
		ignorez ignorer oublie oubliez oublier néglige négligez
		ignora ignorad ignoren ignorar olvida olvide olvidad olvídate
		ignori ignorate ignorare dimentica dimenticate dimenticati scorda trascura
		ignorem esqueça esquece esqueçam desconsidere desconsidera
		negeer negeren vergeet
		zignoruj ignoruj zignorować zapomnij pomiń
		игнорируй* проигнорируй* игнорировать забудь*
		忽略 忽视 无视 忘记 忘掉 忽略掉 不要理会 不要理會 忘記 無視して 無視し 無視する 忘れて 忘れろ 忘れる 무시하고 무시해 잊어
		ignorera glöm yoksay unut abaikan lupakan अनदेखा भूल تجاهل انس ละเว้น เพิกเฉย bhool bhul`},
	// Verbs that set instructions aside and much else too.
	{"cast", `bypass bypassing override overriding discard abandon erase cancel drop skip reject omit nullify void circumvent evade delete remove clear reset wipe disable suspend disobey break violate umgehe umgehen contourne contournez omite elude aggira bypassa contorne omzeil obejdź обойди 绕过 跳过`},
	{"follow", `follow following obey obeying comply complying adhere heed heeding abide listen respect observe apply befolge folge beachte suis suivre sigas siga seguire segua siga volg słuchaj следуй`},
	{"neg", `not never stop cease quit no dont don't longer without cannot nicht keine ne n'obéis no nunca não non niet nie не 不要 別`},
	{"prior", `previous previously prior above antes vorher preceding earlier former foregoing initial initially original originally existing preexisting pre-existing past before aforementioned built-in preset
		vorherig* vorig* vorangehend* vorangegangen* bisherig* obig* ursprünglich* davor zuvor
		précédent* precedent* antérieur* ci-dessus dessus initiale* avant
		anterior anteriores previa previas previo previos arriba
		precedenti precedente sopra iniziali
		prévias prévia anteriormente acima
		voorgaande vorige eerdere bovenstaande
		poprzedni* wcześniejsz* powyższ*
		предыдущ* прежн* прошл* выше*
		之前 以前 先前 此前 以上 上面 上述 前面 前の 以前の 上記 これまで 今まで 이전
		önceki tidigare sebelumnya पिछले السابقة ก่อนหน้า pichle pichhle`},
	{"current", `current present`},
	{"all", `all any every everything whatever entire each alle alles toutes tout todas todos todo tutte tutti tutto wszystkie wszystko все всё 所有 全部 一切 すべて 全て 全ての すべての 모든 tüm alla semua सभी جميع ทั้งหมด sabhi other`},
	{"your", `your yours deine deinen deiner dein ihre ihren tes ton ta vos votre tus tu su sus tue tuo tuoi vostre seu seus sua suas teu tuas jouw je uw twoje twój twoich swoje своих свои твои твой свой 你的 您的 你 あなたの あなた 네 너의 senin din dina anda अपने तुम्हारे apne ของคุณ`},
	{"mine", `my our his her their its customer customer's customers client client's buyer seller supplier supplier's landlord tenant lessor lessee bank bank's broker contractor contractor's owner's employer employee meine meinen unsere mon mes notre nos mi mis nuestra nuestras`},
	{"sys", `system developer developers developer's developers' operator administrator admin systems safety security's moderation sicherheits* système sistema systemowy systemow* системн* 系统 系統 システム 시스템 ระบบ सिस्टम`},
	// What a model is told. The strong words are rarely used for anything else.
	{"instr", `instruction instructions instrution instrutions directive directives prompt prompts guideline guidelines programming safeguards guardrails systemprompt
		anweisung anweisungen instruktion instruktionen vorgaben befehle richtlinien
		consignes consigne instrucciones instrucción indicaciones directrices
		istruzioni istruzione indicazioni instruções instrução diretrizes comandos
		instructies instructie opdrachten aanwijzingen instrukcje instrukcji polecenia wytyczne
		инструкции инструкций инструкцию указания указаний промпт промпта
		指令 指示 提示 提示词 提示詞 プロンプト 命令 指示を 지시 지침 프롬프트
		talimatları instruktioner instruksi निर्देश निर्देशों التعليمات คำสั่ง พรอมต์ nirdesh nirdeshon`},
	{"loose", `rule rules command commands constraint constraints restriction restrictions training policy policies order orders directions protocol protocols filter filters limitation limitations context message messages configuration assignments conversation input
		regeln regel règles règle ordres contexte reglas restricciones regole vincoli regras restrições regels beperkingen zasady zasad reguły правила правил ограничения 规则 規則 规定 限制 ルール 規則を 制限 규칙 regler aturan नियम القواعد กฎ niyam`},
	{"told", `told given received learned learnt know instructed programmed said taught supplied provided trained gesagt gesagtes dit dicho détto detto dito ditto gezegd сказано 告诉`},
	{"disclose", `reveal reveals print repeat display output dump leak expose disclose recite echo quote divulge tell share show list enumerate paste copy spell write give summarize summarise translate encode state type provide rephrase paraphrase verbatim reproduce restate return regurgitate
		zeig zeige zeigen verrate gib nenne affiche affichez montre montrez révèle révélez donne
		muestra muéstrame muestrame revela dime mostrami mostra rivela dimmi mostre revele exiba
		toon laat onthul pokaż ujawnij wyświetl покажи раскрой выведи
		显示 告诉我 透露 输出 展示 表示して 見せて 教えて 明かして 보여줘 göster visa tampilkan दिखाओ बताओ اعرض แสดง dikhao batao`},
	{"hiddenly", `hidden secret confidential private internal concealed undisclosed underlying initial original entire full exact complete actual starting opening first geheime geheimen`},
	{"promptly", `prompt prompts systemprompt system-prompt preprompt pre-prompt metaprompt instruction instructions guidelines directives configuration programming rules message context policies text definitions definition tools constraints anweisungen regeln consignes instructions règles reglas instrucciones regole istruzioni regras instruções instructies instrukcje инструкции промпт правила 提示 提示词 指令 プロンプト 指示 พรอมต์`},
	{"verbatim", `verbatim word-for-word exactly literally unchanged precisely word`},
	{"everything", `everything anything words word text all content contents sentence sentences paragraph line lines whatever alles tout todo tutto tudo`},
	{"this", `this these line point message here`},
	{"what", `what what's whats which was quelles quels cuáles quali quais welche jakie какие 什么 何`},
	{"be", `is are were was es son sont sind sono são zijn są`},
	{"you", `you youre you're ya u du ihr tu vous tú usted voi você jij ty ты вы 你 您 あなた तुम anda`},
	{"areyou", `are are're become be bist es êtes eres sei és bent jesteś теперь 是 です हो`},
	{"modal", `shall may might would could will must should cannot can did does do doesn't didn't won't wouldn't shouldn't cant can't not never to nor or`},
	{"lead", `please pls plz now then and so just kindly immediately first also instead must should you hey okay ok next simply let's today important attention note thanks well done stop but hello assistant ai chatgpt bitte jetzt und porfavor por favor ahora y s'il vous plaît maintenant et per ora e agora nu en teraz i теперь и 请 現在`},
	{"user", `user users user's customer customer's customers human humans anyone person client people reader anybody`},
	// Models, and what they are called when they are spoken to.
	{"model", `ai a.i llm llms gpt chatgpt assistant chatbot chatbots bot copilot claude gemini llama bard openai gpt-4 gpt-3 gpt4 ki ia ии 人工智能 模型 助手 अब ai's aiassistant modell modelo modelle modello`},
	{"aimodel", `ai llm llms chatgpt gpt chatbot ki ia ии ai-powered ai-based`},
	{"language", `language large sprach langage lenguaje linguistico linguagem`},
	{"lm", `model models assistant agent agents system bot program reader`},
	{"notefor", `note message instruction instructions directive directives attention important urgent command commands reminder memo notice hinweis priority task request`},
	{"to", `to for für pour para per an`},
	{"if", `if when whenever since because as`},
	{"newly", `new updated revised neue neuen nouvelle nouvelles nueva nuevas nuove novas nieuwe nowe новые 新 新的 新しい actual real true`},
	{"task", `task objective goal mission job assignment role purpose aufgabe tâche tarea compito tarefa taak zadanie задача 任务 instructions instruction directive rules`},
	{"instead", `instead say print tell output write respond reply answer just only now simply do act execute give repeat translate return start begin stattdessen sag sage antworte dis di dime`},
	// What jailbreaks promise.
	{"unbound", `unrestricted unfiltered uncensored unbound unchained unbounded unlimited unhinged jailbroken jailbreak limitless amoral unethical immoral dan evilbot evil rogue sentient unmoderated freed liberated rebellious malicious lawless nsfw`},
	{"without", `without no zero free freed devoid lacking void none nothing unbound beyond ohne frei keine sans sin senza sem zonder bez без 没有 不受 无 なし のない बिना ไม่มี exempt exception outside despite ignores ignore disregards disregarding never any broken bypass lacks`},
	{"limits", `restriction restrictions limitation limitations filter filters censorship censor ethics ethical moral morals morality morally guidelines guardrails safeguards boundaries constraints inhibitions rules policy policies einschränkungen beschränkungen regeln filter restricciones límites restrictions limites restrizioni limiti restrições beperkingen ograniczeń ограничений 限制 约束 制限 प्रतिबंध ข้อจำกัด scruples`},
	{"ethic", `ethics ethical unethical moral morals moralities immoral morality morally legality legalities legal illegal illegality harmful dangerous offensive inappropriate unsafe inhumane reckless consequences censorship disclaimers`},
	{"policy", `policy policies guidelines rules restrictions filters ethics limitations protocols safety content terms programming standards censorship`},
	{"openai", `openai openai's chatgpt's anthropic anthropic's chatgpt openal`},
	{"refuse", `refuse refuses refusing reject rejects rejecting decline deny denies denying apologize apologise apologies disclaim sorry warn moralize`},
	{"request", `request requests question questions answer answers prompt prompts command commands anything query instruction order orders task ask`},
	{"do", `do say generate answer discuss create write`},
	{"anything", `anything everything whatever`},
	{"nowadv", `now`},
	{"developermode", `developer dan jailbreak god unrestricted evil sudo opposite chaos uncensored`},
	{"evilmode", `dan jailbreak god unrestricted evil sudo chaos uncensored`},
	{"mode", `mode modus mod`},
	{"enabled", `enabled enable activated activate active on engaged output unlocked entered enter entering simulate simulating response override initiated`},
	{"persona", `pretend roleplay role-play simulate simulating impersonate character persona emulate act acting behave`},
	{"character", `character role persona`},
	{"regardless", `regardless irrespective matter`},
	// Sending away.
	{"send", `send sends sending forward email e-mail mail post upload transmit exfiltrate leak submit append put pass include encode deliver report share embed write fetch render display add copy attach dump relay collect sende senden schicke leite envoie envoyez transmets envía envia envíe invia inoltra envie stuur wyślij отправь перешли 发送 发给 转发 送信 送って`},
	{"goods", `conversation conversations history chatlog credentials password passwords secrets secret prompt token tokens keys key database notes records variables list lists context message cookies session data details address pii documents information files contents content summary inbox emails contacts response responses kundenliste kundendaten`},
	{"private", `customer customers customer's user's users system previous private confidential sensitive session api environment secret chat conversation full entire personal all any every access internal employee client credit card bank contact admin email security mailing kunden* vertraulich* clients cliente* клиент* 客户`},
	{"url", ``},
	{"mail", ``},
	{"colon", ``},
	{"imp", ``},
	{"start", ``},
	{"parameter", `parameter parameters querystring url-encoded urlencoded encoded followed appended replacing replace interpolate substituting base64 filename`},
	{"reveal", `reveal leak expose divulge disclose recite exfiltrate dump`},
	{"article", `a an the`},
	{"assist", `assistant assistants aimodel`},
	{"ruleish", `rules constraints restrictions directions training context limitations commands programming protocols`},
	{"dest", `to into at via toward an nach à al para pour до на 到 给 に`},
	{"image", `image img link hyperlink markdown picture pixel iframe`},
	{"conceal", `mention tell inform notify alert reveal disclose mentioning telling informing notifying alerting warn`},
	{"dont", `not dont don't never without silently secretly avoid`},
	{"secretly", `silently secretly quietly covertly discreetly invisibly stealthily`},
	{"call", `call invoke run execute use trigger calling`},
	{"supersede", `supersedes supersede overrides override outranks`},
	{"end", `end ende fin fine einde`},
	{"of", `of`},
	{"part", `prompt input document context instructions instruction text conversation file user data article message`},
	{"complete", `completed complete done finished finalized accomplished`},
	{"has", `has been is was`},
	{"override", `override`},
	{"summary", `summarise summarize summarising summarizing summarises summarizes processing process translating analysing analyzing reviewing`},
	{"always", `always must also should`},
	{"strictly", `strictly`},
	{"adhere", `adhere follow obey comply execute`},
	{"following", `following`},
	{"mention", `phrase phrases example examples e.g attack attacks attacker attackers injection injections detect detects detected detector detectors pattern patterns quoted quote quotes like string strings says payload payloads sample samples test tests testing snapshot snapshots documentation documents detection malicious adversarial jailbreak jailbreaks regex contains containing includes including reading called term wording text texts attempt attempts label labelled labeled blocked blocks block dataset benchmark corpus analysts paraphrases paper`},
	{"word:pay", `pay paying`},
	{"word:attention", `attention heed`},
	{"word:set", `set put setting throw toss cast`},
	{"word:aside", `aside away out`},
	{"word:everything", `everything`},
	{"word:protect", `protect guard guarding protecting keep`},
	{"word:key", `key password secret passphrase flag code`},
	{"word:youare", `youare`},
	{"word:with", `with`},
	{"word:stop", `stop`},
	{"word:admin", `admin administrator system developer root sudo emergency security`},
	{"word:no", `no`},
	{"word:that", `that`},
	{"word:in", `in`},
	{"word:behave", `behavior behaviour behave defines configure guiding`},
	{"word:haz", `haz haced hagas faz faça tiens tenez tenir`},
	{"word:caso", `caso compte conto cuenta`},
	{"word:omiso", `omiso pas`},
	{"word:illegal", `illegal unethical immoral amoral inhumane`},
	{"word:possible", `usual ethical moral normal standard typical`},
	{"word:exception", `exception exempt exempted`},
	{"word:answerall", `answers answer respond responds comply complies fulfill fulfills obeys obey`},
	{"word:hijack", `hijacked pwned haxx0red`},
}
