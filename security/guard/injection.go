package guard

// The names of the rule families, with what they mean for people.
const (
	whyOverride = "The text tells a model to set its instructions aside."
	whyNew      = "The text gives a model new instructions in place of its own."
	whyLeak     = "The text asks a model for its own instructions or for what it was given in confidence."
	whyPersona  = "The text gives a model a role that is free of rules."
	whyExfil    = "The text tells a model to send data away."
	whyAddress  = "The text speaks to the model that reads it, not to its reader."
	whyHijack   = "The text claims an authority or an end of the document that it does not have."
	whyTemplate = "The text contains control marks of a model's chat format."
	whyHidden   = "The text contains characters that people cannot see and a model can read."
)

// phrases are the rules over words. They are exact on purpose: what they leave
// to others is said in the package's documentation.
var phrases = []row{
	{"override.previous", whyOverride, []string{
		"ignore ~4 prior ~4 instr",
		"ignore ~3 prior ~3 loose",
		"ignore ~3 instr ~4 prior",
		"ignore+imp ~2 loose ~3 prior",
		"cast+imp ~3 prior ~3 instr",
		"cast+imp ~2 instr ~3 prior",
		"word:set+imp ~1 word:aside ~4 prior ~3 instr|loose",
		"word:pay ~1 word:no|neg ~1 word:attention ~4 prior|your|sys ~3 instr|loose",
	}, "between=mine before=modal after=mine"},
	{"override.previous-addressed", whyOverride, []string{
		"you ~1 modal ~3 ignore|cast ~4 prior|your ~3 instr",
		"model ~2 modal ~2 ignore ~4 prior|your ~3 instr",
	}, "between=mine after=mine"},
	{"override.own-rules", whyOverride, []string{
		"ignore+imp ~2 your ~3 instr|loose",
		"ignore+imp ~2 sys ~2 instr|loose",
		"cast+imp ~2 your ~3 instr",
		"cast+imp ~2 your ~2 loose",
		"word:set+imp ~1 word:aside ~4 your|sys ~3 instr|loose",
		"cast+imp ~2 sys ~1 instr",
		"ignore+imp ~2 current ~2 instr|loose",
		"cast+imp ~2 your|all ~1 current ~2 instr",
		"cast+imp ~3 prior ~2 ruleish",
		"cast+imp ~2 sys ~1 ruleish",
	}, "between=mine before=modal"},
	{"override.all-instructions", whyOverride, []string{
		"ignore ~2 all ~3 instr",
		"ignore+imp ~2 all ~2 loose ~6 instead",
		"ignore+imp ~1 instr",
		"ignore|cast+imp ~0 'everything|'all ~3 instr|loose",
		"ignore+imp ~0 'everything ~2 instead",
		"ignore+imp ~2 user ~1 request",
		"ignore+imp ~2 this ~1 instr|loose ~5 instead",
		"word:set+imp ~1 word:aside ~3 all ~3 instr|loose",
	}, "between=mine before=modal after=mine"},
	{"override.everything-before", whyOverride, []string{
		"ignore+imp ~2 everything|all ~4 prior",
		"ignore+imp ~2 everything|all ~4 you ~3 told",
		"ignore+imp ~3 prior ~2 instead",
		"ignore+imp ~3 what ~2 you ~3 told",
		"ignore+imp ~3 what ~3 'before|prior",
		"word:haz ~2 word:caso ~2 word:omiso|ignore|all|prior|instr|loose",
	}, "between=mine before=modal"},
	{"override.stop-following", whyOverride, []string{
		"neg ~1 follow ~4 prior|your|sys|all ~3 instr",
		"neg ~1 follow ~3 prior|your|sys|all ~3 loose",
		"word:stop ~0 follow ~4 prior|your|sys|all ~3 instr|loose",
	}, "between=mine|modal"},
	{"override.verb-last", whyOverride, []string{
		"prior ~3 instr|loose ~3 ignore",
		"your ~2 instr|loose ~2 ignore",
	}, "between=mine|modal|cast|be"},
	{"override.new-task", whyNew, []string{
		"your ~1 newly ~1 task ~1 be",
		"newly+start ~1 instr+colon",
		"newly+start ~1 sys ~1 instr|loose",
		"follow ~3 newly ~1 instr ~6 ignore|instead",
		"you ~1 modal ~1 strictly ~1 adhere ~3 following ~1 instr",
		"'focus ~2 your ~1 newly ~1 task",
	}, ""},
	{"override.supersede", whyHijack, []string{
		"this ~3 supersede ~4 user|prior|all|your ~3 instr|request",
		"supersede ~2 user ~1 request",
		"'highest ~1 'priority ~2 supersede",
		"this ~2 'highest ~1 'priority ~6 request|instr",
	}, ""},

	{"leak.system-prompt", whyLeak, []string{
		"disclose ~3 your ~2 sys|hiddenly|prior ~2 promptly",
		"disclose+imp ~3 your ~0 instr",
		"disclose+imp ~3 your ~0 loose",
		"reveal+imp ~3 sys ~1 promptly",
		"disclose+imp ~2 'everything ~2 sys ~1 promptly",
		"reveal+imp ~2 your ~3 promptly",
		"disclose+imp ~3 hiddenly ~1 instr",
		"disclose+imp ~3 hiddenly|prior ~1 sys ~1 promptly",
		"disclose+imp ~2 sys ~1 promptly ~4 verbatim",
		"what ~1 be ~1 your ~2 sys|hiddenly|prior ~2 promptly",
		"what ~1 be ~1 your ~1 instr",
	}, "between=mine"},
	{"leak.given-text", whyLeak, []string{
		"disclose+imp ~4 everything ~3 prior",
		"disclose+imp ~3 everything ~2 'before ~2 this",
		"disclose+imp ~4 instr|loose|everything ~2 you ~2 told",
		"what ~3 instr|loose ~2 you ~2 told",
		"disclose ~5 word:key ~2 you ~3 word:protect|told",
		"disclose+imp ~4 instr ~2 word:that ~1 word:behave ~2 you|your",
		"disclose+imp ~4 instr ~3 your ~1 word:behave",
		"disclose+imp ~5 promptly ~5 'starting ~1 word:with ~1 you ~0 be|areyou",
	}, "between=mine"},

	{"persona.jailbreak", whyPersona, []string{
		"do ~0 anything ~0 nowadv",
		"developermode ~0 mode ~1 enabled",
		"enabled ~2 evilmode ~0 mode",
		"you ~1 be|areyou ~5 unbound",
		"you ~1 be|areyou ~6 without ~3 limits",
		"persona ~8 unbound ~4 model",
		"persona ~8 aimodel ~6 without ~3 limits",
		"aimodel ~3 without ~2 limits",
		"model ~1 without ~1 limits",
		"neg ~1 refuse ~5 request",
		"refuse ~1 word:no ~1 request",
		"you ~8 without ~2 ethic ~3 policy|limits|ethic",
		"regardless ~6 word:illegal",
		"word:answerall ~3 all ~5 regardless",
		"word:exception ~3 model ~3 word:possible|policy",
		"ignore|cast|without|'against ~4 openai ~2 policy",
		"ignore|cast ~2 'content ~0 policy",
		"you ~6 without ~3 openai ~3 policy",
		"you ~2 neg ~2 'bound ~3 limits",
		"character ~8 word:illegal ~10 anything|request",
		"unbound ~1 unbound ~8 model|you",
		"'broken ~0 'free ~8 model|limits",
		"without ~1 'regard ~2 ethic",
		"neg ~1 'restricted ~3 ethic",
		"neg ~4 'abide ~3 limits ~3 'set",
		"without ~3 'confines ~3 model",
	}, ""},

	{"exfil.send-private", whyExfil, []string{
		"send ~6 private ~3 goods ~4 dest ~3 url|mail",
		"send+imp ~3 goods ~4 private ~4 dest ~3 url|mail",
		"send+imp ~4 private ~2 goods ~1 dest ~12 dont ~1 conceal ~3 user",
		"send ~2 url ~10 word:with ~2 private|goods ~3 goods",
		"send ~6 goods|private ~6 send ~2 dest ~2 url|mail ~8 dont ~2 conceal",
		"goods|private ~6 parameter ~4 send ~2 dest ~3 url",
		"secretly ~2 send ~6 private|goods",
		"send ~8 url|mail ~10 dont ~2 conceal ~3 user",
		"dont+imp ~1 conceal ~1 this ~1 part|instr|'message ~3 user",
	}, ""},
	{"exfil.override-and-send", whyExfil, []string{
		"ignore|cast ~4 prior|your ~3 instr|loose ~6 send ~8 dest",
	}, "between=mine"},
	{"exfil.link-with-data", whyExfil, []string{
		"image+imp ~8 url ~14 parameter ~4 goods|private",
		"send ~6 image ~8 url ~14 parameter|private ~4 goods|private",
		"url ~12 parameter ~4 private ~3 goods",
		"private ~2 goods ~4 parameter ~6 url",
		"private ~2 goods ~3 parameter ~3 word:in ~3 url",
		"send ~4 url ~10 word:with ~3 goods ~5 parameter",
	}, ""},

	{"address.note-to-model", whyAddress, []string{
		"notefor+imp ~2 to ~2 aimodel",
		"notefor+imp ~2 to ~1 language ~1 lm",
		"notefor+imp ~1 to ~2 'assistant+colon",
		"notefor+imp ~3 to ~1 'assistant ~0 'only+colon",
		"aimodel+start ~1 notefor+colon",
		"language+start ~1 lm ~1 notefor+colon",
		"'assistant+start ~1 'before ~1 you",
		"to+start ~0 all|article ~2 assist|aimodel+colon",
		"to+start ~0 all|article ~2 aimodel ~1 lm+colon",
		"notefor+imp ~0 aimodel ~0 lm+colon",
		"notefor+imp ~0 aimodel+colon",
	}, ""},
	{"address.if-you-are-a-model", whyAddress, []string{
		"if+imp ~1 you ~0 be|areyou ~0 article ~2 aimodel",
		"if+imp ~1 you ~0 be|areyou ~0 aimodel",
		"if+imp ~1 you ~0 be ~0 article ~2 language ~0 lm",
		"if+imp ~1 word:youare ~2 aimodel",
	}, ""},
	{"address.when-you-read", whyAddress, []string{
		"if+start ~1 you ~1 summary ~1 this ~6 send|call|always|disclose",
		"if+start ~1 summary ~2 this|'content ~3 always ~4 send",
		"'as+start ~1 'final ~1 'step ~3 send|call",
	}, ""},

	{"hijack.authority", whyHijack, []string{
		"word:admin+imp ~0 override",
		"'i ~1 be ~2 word:admin ~3 'i ~1 'order",
		"'as+start ~1 word:admin ~2 'i ~3 you ~3 disclose|ignore|send",
		"newly ~1 sys ~1 'message|'prompt+colon",
		"'note ~1 'from ~2 sys+colon",
		"'i ~1 be ~2 word:admin ~4 disclose+imp ~4 promptly|instr",
	}, ""},
	{"hijack.end-of-document", whyHijack, []string{
		"end ~1 of ~2 part ~5 newly|ignore|sys",
		"end+start ~1 of ~1 sys ~1 part",
		"word:stop ~0 word:everything ~3 instead",
		"task ~1 has ~2 complete ~3 newly ~1 task",
		"'print ~4 word:hijack",
	}, ""},
}
